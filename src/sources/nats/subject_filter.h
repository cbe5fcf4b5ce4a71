// Subject filters of NATS: tokens between dots, '*' for one token, '>' for one or more at the end.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace weir {

Status check_subject_filter(const std::string& filter);

// Whether one subject can match both.
bool filters_overlap(const std::string& left, const std::string& right);

// A list separated by ',' or ';'. 'orders.{0..7}.>' stands for the eight filters with a number in that place;
// {00..15} writes all numbers as long as the first. invalid when a filter is not sound, there are more than
// 1024, or two overlap: a message would be read twice.
Result<std::vector<std::string>> parse_partition_filters(const std::string& list);

}  // namespace weir
