// Query text as Flink reads it.
#pragma once

#include <string>

namespace weir {

// STRING_AGG becomes LISTAGG, filled up with blanks, and != becomes <>, so that places stay.
std::string flink_query(const std::string& query);

}  // namespace weir
