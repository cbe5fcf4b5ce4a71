// Records of CSV for `weir init`: delimiter, header and types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/sample_pipeline.h"

namespace weir {

class CsvSample {
 public:
  // `offset` 0 is a file's first line.
  void add(std::string_view record, int64_t offset);
  // After the last record. `may_have_header`: its first record may name the columns.
  Status finish(bool may_have_header);

  // After finish():
  char delimiter() const { return delimiter_; }
  bool has_header() const { return has_header_; }
  const std::vector<InitColumn>& columns() const { return columns_; }

 private:
  struct Record {
    std::string text;
    bool first = false;
  };
  // Its fields; empty when it is no record. Quoted empty fields are not null.
  std::vector<std::string> fields_of(const std::string& record, std::vector<bool>& quoted,
                                     std::string& why) const;
  void find_delimiter();

  std::vector<Record> records_;
  char delimiter_ = ',';
  bool has_header_ = false;
  std::vector<InitColumn> columns_;
};

}  // namespace weir
