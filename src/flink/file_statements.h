// The statements of a pipeline file as they are written.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/source_text.h"

namespace weir {

class FileStatements {
 public:
  explicit FileStatements(const std::string& text);
  // The statement in which `location` stands, with its ';'. "" when there is none.
  std::string at(const Location& location) const;
  // SET 'key' = …, in order, but for those whose key is `without`.
  std::vector<std::string> settings(const std::string& without) const;
  // The string token at `location` with its quotes, a reference to a secret unresolved. "" when there is
  // none.
  std::string written(const Location& location) const;

 private:
  struct Statement {
    std::pair<int, int> begin, end;  // (line, column) of the first token and of the ';'
    std::string text;
    std::string setting;  // the key of a SET
  };
  std::vector<Statement> statements_;
  std::map<std::pair<int, int>, std::string> strings_;
};

}  // namespace weir
