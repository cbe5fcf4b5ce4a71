#include "cli/sample_value.h"

#include <nlohmann/json.hpp>
#include <set>

namespace weir {
namespace {

constexpr size_t kMostDepth = 64;
constexpr size_t kKeptText = 256;

// nlohmann's events, because its values do not keep the digits of a number.
class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(std::string& why) : why_(why) { open_.push_back(&root_); }

  SampledValue take() { return std::move(root_); }

  bool null() override { return place({}); }
  bool boolean(bool) override { return place(made(SampledValue::Kind::boolean)); }
  bool number_integer(int64_t value) override {
    return place(made(SampledValue::Kind::number, std::to_string(value)));
  }
  bool number_unsigned(uint64_t value) override {
    return place(made(SampledValue::Kind::number, std::to_string(value)));
  }
  bool number_float(double, const std::string& text) override {
    return place(made(SampledValue::Kind::number, text));
  }
  bool string(std::string& text) override {
    return place(made(SampledValue::Kind::string, text.substr(0, kKeptText)));
  }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(size_t) override {
    keys_.emplace_back();
    return enter(SampledValue::Kind::object);
  }
  bool start_array(size_t) override {
    keys_.emplace_back();
    return enter(SampledValue::Kind::array);
  }
  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second) {
      why_ = "the key '" + name.substr(0, kKeptText) + "' is given twice";
      return false;
    }
    key_ = name;
    return true;
  }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    why_ = "malformed at byte " + std::to_string(position);
    return false;
  }

 private:
  static SampledValue made(SampledValue::Kind kind, std::string text = "") {
    SampledValue value;
    value.kind = kind;
    value.text = std::move(text);
    return value;
  }
  SampledValue& put(SampledValue value) {
    SampledValue& parent = *open_.back();
    if (open_.size() == 1) return root_ = std::move(value);
    if (parent.kind == SampledValue::Kind::object) {
      parent.members.emplace_back(key_, std::move(value));
      return parent.members.back().second;
    }
    parent.items.push_back(std::move(value));
    return parent.items.back();
  }
  bool place(SampledValue value) {
    put(std::move(value));
    return true;
  }
  bool enter(SampledValue::Kind kind) {
    if (open_.size() > kMostDepth) {
      why_ = "nested deeper than 64 levels";
      return false;
    }
    open_.push_back(&put(made(kind)));
    return true;
  }
  bool leave() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  std::string& why_;
  SampledValue root_;
  std::vector<SampledValue*> open_;          // the way to where the next value goes
  std::vector<std::set<std::string>> keys_;  // of the open objects
  std::string key_;
};

}  // namespace

std::optional<SampledValue> parse_sampled_json(std::string_view text, std::string& why) {
  TreeBuilder builder(why);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  return builder.take();
}

}  // namespace weir
