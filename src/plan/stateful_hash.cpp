// What the state of a query depends on, as one number: what is written in the file, and the shape of the
// graph. What DataFusion prints is left out, for a later one prints it otherwise.
#include <arrow/type.h>

#include <algorithm>
#include <set>

#include "config/lexer.h"
#include "plan/pipeline_plan.h"

namespace weir {
namespace {

class Mixer {
 public:
  void number(int64_t value) {
    for (int byte = 0; byte < 8; ++byte)
      mix(static_cast<unsigned char>(static_cast<uint64_t>(value) >> 8 * byte));
  }
  void text(const std::string& value) {
    number(static_cast<int64_t>(value.size()));
    for (unsigned char byte : value) mix(byte);
  }
  // As written, but for blanks and comments.
  void query(const std::string& value) {
    for (const Token& token : tokenize(value).tokens) {
      number(static_cast<int64_t>(token.kind));
      text(token.text);
    }
  }
  void type(const std::shared_ptr<arrow::DataType>& value) {
    text(value == nullptr ? "" : value->ToString());
  }
  void numbers(const std::vector<int>& values) {
    number(static_cast<int64_t>(values.size()));
    for (int value : values) number(value);
  }
  int64_t result() const { return static_cast<int64_t>(state_ & 0x7FFFFFFFFFFFFFFFULL); }

 private:
  void mix(unsigned char byte) { state_ = (state_ ^ byte) * 1099511628211ULL; }

  uint64_t state_ = 14695981039346656037ULL;  // FNV-1a, 64 bits
};

void mix_window(Mixer& mixer, const WindowSpec& window) {
  mixer.number(static_cast<int64_t>(window.assigner));
  for (int64_t value : {window.size_us, window.slide_us, window.gap_us, window.offset_us, window.tick_us}) {
    mixer.number(value);
  }
  mixer.numbers({window.time_column, window.start_column, window.end_column, window.processing_time ? 1 : 0});
}

void mix_node(Mixer& mixer, const PlanNode& node, const SourcePlan* source) {
  mixer.number(static_cast<int64_t>(node.kind));
  mixer.numbers(node.inputs);
  mixer.text(node.source);
  for (const auto& field : node.schema->fields()) {
    // Only a scan's columns have the file's names, and of those only what is no expression.
    const bool named = node.kind == NodeKind::scan && source != nullptr &&
                       std::any_of(source->table.columns.begin(), source->table.columns.end(),
                                   [&](const ColumnSpec& column) { return column.name == field->name(); });
    mixer.text(named ? field->name() : "");
    mixer.type(field->type());
  }
  mix_window(mixer, node.window);
  mix_window(mixer, node.right_window);
  mixer.numbers(node.keys);
  for (const WindowColumn column : node.window_columns) mixer.number(static_cast<int64_t>(column));
  for (const AggregateCall& call : node.aggregates) {
    mixer.text(call.function);
    mixer.numbers(call.arguments);
    mixer.numbers({call.filter, call.distinct ? 1 : 0});
    mixer.text(call.separator);
    mixer.type(call.type);
  }
  mixer.numbers(node.left_keys);
  mixer.numbers(node.right_keys);
  mixer.numbers({node.left_time, node.right_time, node.left_outer ? 1 : 0, node.with_rank ? 1 : 0});
  for (int64_t value : {node.lower_us, node.upper_us, node.limit, node.late_hold_us}) mixer.number(value);
  for (const SortColumn& sort : node.order) {
    mixer.numbers({sort.column, sort.descending ? 1 : 0, sort.nulls_first ? 1 : 0});
  }
}

// The watermark, and the columns that are made of others; those of the event's bytes only as far as a scan
// reads them: a later version of its schema may add some.
void mix_source(Mixer& mixer, const TableSpec& table) {
  mixer.text(table.name);
  mixer.text(table.watermark_column);
  mixer.query(table.watermark_expression);
  for (const ColumnSpec& column : table.columns) {
    if (column.kind == ColumnKind::physical) continue;
    mixer.text(column.name);
    mixer.text(column.metadata_key);
    mixer.query(column.expression);
  }
}

bool mentions(const std::string& query, const std::string& name) {
  const std::vector<Token> tokens = tokenize(query).tokens;
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
    return token.is_identifier() && equals_ignoring_case(token.text, name);
  });
}

// The query, and the views that it may read, by what each names.
void mix_queries(Mixer& mixer, const PipelineSpec& spec, const InsertSpec& insert) {
  mixer.query(insert.query);
  std::set<const ViewSpec*> read;
  std::vector<const std::string*> texts = {&insert.query};
  for (size_t at = 0; at < texts.size(); ++at) {
    for (const ViewSpec& view : spec.views) {
      if (read.count(&view) > 0 || !mentions(*texts[at], view.name)) continue;
      read.insert(&view);
      texts.push_back(&view.query);
    }
  }
  for (const ViewSpec& view : spec.views) {
    if (read.count(&view) == 0) continue;
    mixer.text(view.name);
    mixer.query(view.query);
  }
}

}  // namespace

int64_t PipelinePlan::stateful_hash(const SetPlan& set) const {
  Mixer mixer;
  std::set<std::string> scanned;
  for (size_t i = 0; i < inserts.size(); ++i) {  // one for each of the file's INSERTs
    const InsertPlan& insert = *inserts[i];
    if (!insert.stateful()) continue;
    if (std::find(set.inserts.begin(), set.inserts.end(), &insert) == set.inserts.end()) continue;
    mixer.text(insert.label);
    mix_queries(mixer, spec, spec.inserts[i]);
    for (const PlanNode& node : insert.plan.graph) {
      mix_node(mixer, node, source(node.source));
      if (node.kind == NodeKind::scan) scanned.insert(node.source);
    }
  }
  for (const std::string& name : scanned) mix_source(mixer, source(name)->table);
  mixer.number(spec.settings.duration("pipeline.allowed-lateness").count());
  return mixer.result();
}

}  // namespace weir
