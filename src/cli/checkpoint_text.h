// What `weir checkpoints` prints. Pure: the present is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/epoch_store.h"

namespace weir {

// "3 s", "5 min", "2 h 10 min", "4 d 3 h".
std::string duration_text(int64_t microseconds);
// "812 B", "1.4 MB"; powers of 1024.
std::string bytes_text(int64_t bytes);

// A line an epoch, the newest first; "" for none.
std::string epochs_text(const std::string& set, const std::vector<EpochSummary>& epochs, int64_t now_us);
// A JSON object an epoch, each on a line.
std::string epochs_json(const std::string& set, const std::vector<EpochSummary>& epochs, int64_t now_us);

// `problem`: "" : whole. What a prepared handle holds is not shown but for the files that it names: it is the
// sink's own text.
std::string manifest_text(const std::string& set, const EpochManifest& manifest, const std::string& problem,
                          int64_t now_us);
std::string manifest_json(const std::string& set, const EpochManifest& manifest, const std::string& problem,
                          int64_t now_us);

}  // namespace weir
