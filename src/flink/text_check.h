// Finds in one query or expression what Flink would take differently, or not at all.
#pragma once

#include <map>
#include <string>

#include "config/pipeline_spec.h"

namespace weir {

// What the file's names of tables, views and columns may stand for; ROWs' fields are among them.
class FileNames {
 public:
  enum Kind : unsigned {
    kNoColumn = 0,
    kSmallInteger = 1,  // INT and smaller
    kBigInteger = 2,
    kOther = 4,
    kUnknown = 8,  // computed, or a query's own name for something
  };

  explicit FileNames(const PipelineSpec& spec);

  bool has(const std::string& name) const { return kinds_.count(name) != 0; }
  // Every Kind that a column of that name may have.
  unsigned kinds(const std::string& name) const;

 private:
  void add_column(const std::string& name, const DataType& type);
  void add_aliases(const std::string& query);

  std::map<std::string, unsigned> kinds_;
  std::map<std::string, unsigned> aliases_;
};

// `location` is that of the text's first byte.
void check_flink_text(const std::string& text, const Location& location, const FileNames& names,
                      Diagnostics& diagnostics);

}  // namespace weir
