// What a failed answer of a ClickHouse server means for the rows that were sent.
#pragma once

#include <string>
#include <string_view>

namespace weir {

enum class ServerErrorKind {
  none,
  retry,    // passes by itself: busy, read-only, out of memory, too many parts, not reachable
  denied,   // credentials or grants
  changed,  // table, column or type is not what the INSERT names: altered under us
  row,      // at least one of the block's rows cannot be stored; the others may
  fatal,    // anything else: a person must act
};

// `code` is ClickHouse's (0: the answer named none), `message` its text.
ServerErrorKind classify_server_error(int code, int http_status, std::string_view message);

// "Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS) (version 26.9.2.1)" in pieces.
struct ServerErrorText {
  int code = 0;
  std::string message;  // one line, without code, version and stack trace
};
ServerErrorText parse_server_error(std::string_view body);

}  // namespace weir
