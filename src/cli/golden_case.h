// One case of `weir test`: a folder with a pipeline, its inputs and the rows that must come out.
//
//   pipeline.sql             any pipeline; its connectors are replaced
//   input/<source>.ndjson    what the source reads, an event a line (also .ndjson.gz, .ndjson.zst); a
//                            'generator' source may do without
//   expected/<sink>.ndjson   the sink's rows in any order, as `weir sql --format json` prints them, without
//                            _weir_* columns
//   expected/errors.ndjson   one line an error record; the given keys (code, field, source, sink, byte,
//                            payload; message: a part of it) must match; absent: no errors
//   expected/refused.txt     instead of the above: the file must be refused, and each line must occur in the
//                            words
//   batch.sql                where the query keeps state: what expected/ holds, by another engine
//                            (tests/differential/batch.py)
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "plan/pipeline_plan.h"
#include "plan/registry.h"

namespace weir {

// straight: as written. restored: two events a batch, a commit after each, killed at every epoch and
// restored. hostile: batches and queues of one, one open partition, keys shared out among three. A case that
// SETs 'pipeline.batch-rows' keeps it: which rows are late depends on it.
enum class CaseVariant { straight, restored, hostile };
const char* variant_name(CaseVariant variant);

struct CaseOutcome {
  std::string name;
  int runs = 0;
  std::vector<std::string> differences;  // "restored: lake: unexpected row …"; empty: passed
};

// Folders below (or at) `folder` that hold a pipeline.sql, sorted.
std::vector<std::filesystem::path> find_cases(const std::filesystem::path& folder);

// The case's plan with every source a file and every sink a Delta table below `work`.
Result<std::unique_ptr<PipelinePlan>> load_case(const std::filesystem::path& folder,
                                                const std::filesystem::path& work, CaseVariant variant,
                                                const Registry& registry);

// Runs all variants as child processes of this program and compares. `work` is an empty folder.
CaseOutcome run_case(const std::filesystem::path& folder, const std::filesystem::path& work,
                     const Registry& registry);

}  // namespace weir
