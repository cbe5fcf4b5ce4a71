// Places in the user's files and what is wrong there.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

struct Location {
  std::string file;
  int line = 0;              // from 1; 0: no place in a file
  int column = 0;            // from 1, in bytes
  std::string text() const;  // "file:line:column"
};

struct Diagnostic {
  Location location;
  std::string message;  // what was found, what was expected, what to do
  bool warning = false;
  Code code = Code::invalid;
};

// Collects problems so that one run of `weir check` names them all. What was already said at the same place
// is not repeated.
class Diagnostics {
 public:
  void error(Location location, std::string message) { add({std::move(location), std::move(message)}); }
  // What is wrong is not in the file: a registry that does not answer.
  void error(Location location, const Status& status) {
    add({std::move(location), status.message(), false, status.code()});
  }
  void warning(Location location, std::string message) {
    add({std::move(location), std::move(message), true});
  }
  bool has_errors() const;
  const std::vector<Diagnostic>& entries() const { return entries_; }
  // Every error as "file:line:column: error: message" lines: invalid, unless all have one other code; or ok.
  Status status() const;

 private:
  void add(Diagnostic entry);

  std::vector<Diagnostic> entries_;
};

}  // namespace weir
