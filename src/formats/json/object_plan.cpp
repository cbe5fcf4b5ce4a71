#include "formats/json/object_plan.h"

#include <algorithm>

namespace weir::json {
namespace {

// A key with any of these is written with escapes, or could hide the brace that ends the payload.
bool predictable(std::string_view key) {
  return std::all_of(key.begin(), key.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != '}';
  });
}

}  // namespace

ObjectPlan::ObjectPlan(const std::vector<std::string>& names, const std::vector<Column*>& columns) {
  Slot* previous = &start;
  for (size_t i = 0; i < names.size(); ++i) {
    Slot* slot = add(names[i], columns[i]);
    fields.push_back(slot);
    previous->next = slot;
    previous = slot;
  }
  // A ring, so that every slot has a successor to compare with.
  if (fields.empty()) {
    start.next = &start;
  } else {
    previous->next = fields.front();
  }
}

Slot* ObjectPlan::add(std::string_view key, Column* column) {
  Slot& slot = slots_.emplace_back();
  slot.key = key;
  slot.column = column;
  slot.next = fields.empty() ? &slot : fields.front();
  if (predictable(key)) {
    std::string pattern = "\"" + slot.key + "\":";
    slot.predicted_size = static_cast<uint32_t>(pattern.size());
    std::memcpy(slot.pattern, pattern.data(), std::min<size_t>(pattern.size(), 32));
    slot.mask = pattern.size() >= 32 ? 0xffffffffu : (1u << pattern.size()) - 1;
    slot.long_pattern = std::move(pattern);
  }
  by_key_.emplace(slot.key, &slot);
  return &slot;
}

Slot* ObjectPlan::find(std::string_view key) {
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) return known->second;
  if (slots_.size() >= fields.size() + kMaxUnknown || key.size() > kMaxKeyBytes) return nullptr;
  return add(key, nullptr);
}

Status plan_rows(const std::string& path, Column& column) {
  if (column.kind == Kind::map) {
    const Column& keys = *column.children[0];
    if (keys.kind != Kind::text && (keys.kind < Kind::int8 || keys.kind > Kind::int64)) {
      return Status::invalid("column '" + path +
                             "': the keys of a JSON object are strings or integers, not " + keys.type_text);
    }
  }
  std::vector<std::string> names;
  std::vector<Column*> fields;
  for (size_t i = 0; i < column.children.size(); ++i) {
    names.push_back(column.type->field(static_cast<int>(column.kind == Kind::row ? i : 0))->name());
    fields.push_back(column.children[i].get());
    WEIR_TRY(plan_rows(path + "." + names.back(), *fields.back()));
  }
  if (column.kind == Kind::row) column.plan = std::make_unique<ObjectPlan>(names, fields);
  return {};
}

}  // namespace weir::json
