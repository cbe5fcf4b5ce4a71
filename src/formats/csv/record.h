// One CSV record (RFC 4180) as fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schema/error_record.h"

namespace weir::csv {

struct Dialect {
  char delimiter = ',';
  char quote = '"';
  bool quoting = true;  // false: quotes are ordinary characters
  char escape = 0;      // in quoted fields, before a character to take as it is; 0: only doubled quotes
  bool trim = false;    // spaces and tabs around fields
};

struct Field {
  std::string_view text;  // of the payload, or of the reader's buffer until the next call
  size_t byte = 0;        // where it begins in the payload
  bool quoted = false;
};

// One thread; keeps a buffer between records.
class RecordReader {
 public:
  explicit RecordReader(Dialect dialect);

  // One record; a line end behind it does not count.
  void begin(std::string_view payload);
  bool at_end() const { return ended_; }
  // The next field, while not at_end(). False: `error` has code, message and byte.
  bool next(Field& field, ErrorRecord& error);

 private:
  bool quoted(Field& field, ErrorRecord& error);

  Dialect dialect_;
  bool special_[256] = {};
  std::string_view record_;
  size_t at_ = 0;
  bool ended_ = true;
  std::string unquoted_;
};

}  // namespace weir::csv
