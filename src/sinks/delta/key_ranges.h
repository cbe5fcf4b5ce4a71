// Which files can hold one of many keys, told by statistics and partition values alone.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "bridge/bridge.h"

namespace weir {

class KeyRanges {
 public:
  // `keys`: key columns without NULLs. It must outlive this.
  explicit KeyRanges(const arrow::RecordBatch& keys);
  // False: no key lies in the file. What statistics do not tell for sure is true.
  bool may_hold(const bridge::AddFile& file) const;

 private:
  // Of one key column: its values, sorted, in a form that statistics can be compared with.
  struct Column {
    enum class Form {
      integer,
      text,     // as it is
      seconds,  // of a timestamp's text: "2026-11-21T13:24:23", because precisions differ
      unknown,
    };
    std::string name;
    Form form = Form::unknown;
    std::vector<int64_t> integers;
    std::vector<std::string> texts;

    bool any_between(const std::string& low, const std::string& high) const;
    bool any_between(int64_t low, int64_t high) const;
  };
  static Column column_of(const arrow::Array& values, const std::string& name);

  std::vector<Column> columns_;
};

}  // namespace weir
