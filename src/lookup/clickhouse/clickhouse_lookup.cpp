#include "lookup/clickhouse/clickhouse_lookup.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "clients/clickhouse_options.h"
#include "lookup/clickhouse/answer_cache.h"
#include "lookup/clickhouse/lookup_query.h"
#include "lookup/full_table.h"
#include "lookup/key_batch.h"
#include "lookup/lookup_options.h"
#include "lookup/retry.h"
#include "state/key_table.h"

namespace weir {
namespace {

constexpr size_t kMaxStatementBytes = 200'000;  // servers read 256 KiB of a statement, unless told otherwise
constexpr int64_t kMaxAnswerBytes = int64_t{1} << 30;

struct AskedSettings {
  int max_retries = 3;
  size_t max_keys = 1000;
  bool cache = false;
  bool cache_missing = true;
  int64_t max_rows = 0;
  int64_t keep_us = 0;
};

// One connection to the server. Calls are made one at a time.
class Server {
 public:
  Server(ClickHouseServer server, LookupQuery query, int max_retries, const Clock& clock)
      : server_(std::move(server)), query_(std::move(query)), max_retries_(max_retries), clock_(clock) {}

  const LookupQuery& query() const { return query_; }
  Result<std::shared_ptr<arrow::RecordBatch>> ask(const std::string& statement) {
    return with_retries(max_retries_, clock_, [&]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
      if (connection_ == nullptr) {
        WEIR_ASSIGN(connection_, server_.connect());
      }
      ServerAnswer answer = connection_->execute(statement);
      if (!answer.status.ok()) return answer.status;
      return query_.rows(answer.body);
    });
  }

 private:
  ClickHouseServer server_;
  LookupQuery query_;
  int max_retries_;
  const Clock& clock_;
  std::unique_ptr<ClickHouseConnection> connection_;
};

// Asks the server for the keys that no cache knows.
class AskedTable final : public LookupTable {
 public:
  AskedTable(AskedSettings settings, std::shared_ptr<arrow::Schema> schema, Server server, const Clock& clock)
      : settings_(settings), schema_(std::move(schema)), server_(std::move(server)), clock_(clock) {}

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }

  Result<LookupMatches> lookup(const arrow::RecordBatch& rows,
                               const std::vector<std::string>& columns) override {
    WEIR_ASSIGN(auto keys, LookupKeys::create(*schema_, columns));
    EncodedKeys encoded;
    keys.encode(rows, encoded);
    const auto asked = rows_with_key(encoded);
    KeyTable distinct(keys.width(), 8);
    std::vector<uint32_t> entries(asked.size());
    WEIR_TRY(distinct.find_or_insert(encoded, asked.data(), asked.size(), entries.data()));
    std::vector<uint32_t> row_of(distinct.size());  // one row of each key
    for (size_t i = asked.size(); i-- > 0;) row_of[entries[i]] = asked[i];
    std::vector<CachedRows> found(distinct.size());
    std::lock_guard lock(mutex_);
    WEIR_TRY(answer(rows, columns, keys, distinct, row_of, found));
    return matches(asked, entries, found);
  }

 private:
  // Fills `found`, by entry of `distinct`: from the cache, then from the server.
  Status answer(const arrow::RecordBatch& rows, const std::vector<std::string>& columns,
                const LookupKeys& keys, const KeyTable& distinct, const std::vector<uint32_t>& row_of,
                std::vector<CachedRows>& found) {
    AnswerCache* cache = nullptr;
    if (settings_.cache) {
      cache = &caches_.try_emplace(columns, settings_.max_rows, settings_.keep_us).first->second;
    }
    std::vector<uint32_t> missing;  // rows, one of each key
    for (uint32_t entry = 0; entry < row_of.size(); ++entry) {
      auto known = cache == nullptr ? std::nullopt : cache->find(distinct.key(entry), clock_.now_us());
      if (known) {
        found[entry] = *std::move(known);
      } else {
        missing.push_back(row_of[entry]);
      }
    }
    const auto picked =
        keys.pick(*arrow::RecordBatch::Make(keys_named(rows, keys), rows.num_rows(), rows.columns()));
    for (size_t first = 0, taken = 0; first < missing.size(); first += taken) {
      WEIR_ASSIGN(auto statement, server_.query().for_keys(*picked, missing, first, settings_.max_keys,
                                                           kMaxStatementBytes, taken));
      WEIR_ASSIGN(auto answered, server_.ask(statement));
      WEIR_TRY(sort_in(answered, keys, distinct, found));
    }
    if (cache == nullptr || missing.empty()) return {};
    EncodedKeys encoded;
    keys.encode(*picked, encoded);
    std::vector<uint32_t> entries(missing.size());
    distinct.find(encoded, missing.data(), missing.size(), entries.data());
    for (const uint32_t entry : entries) {
      if (found[entry].count == 0 && !settings_.cache_missing) continue;
      cache->put(distinct.key(entry), found[entry], clock_.now_us());
    }
    return {};
  }

  static std::shared_ptr<arrow::Schema> keys_named(const arrow::RecordBatch& rows, const LookupKeys& keys) {
    arrow::FieldVector fields;
    for (int i = 0; i < rows.num_columns(); ++i)
      fields.push_back(arrow::field(keys.schema().field(i)->name(), rows.column(i)->type()));
    return arrow::schema(std::move(fields));
  }

  // The server's rows key by key. One that answers to no key (another collation, say) is left out.
  Status sort_in(const std::shared_ptr<arrow::RecordBatch>& rows, const LookupKeys& keys,
                 const KeyTable& distinct, std::vector<CachedRows>& found) const {
    if (rows->num_rows() == 0) return {};
    EncodedKeys encoded;
    keys.encode(*keys.pick(*rows), encoded);
    const auto with_key = rows_with_key(encoded);
    std::vector<uint32_t> entries(with_key.size());
    distinct.find(encoded, with_key.data(), with_key.size(), entries.data());
    std::vector<std::pair<uint32_t, int32_t>> order;
    for (size_t i = 0; i < with_key.size(); ++i) {
      if (entries[i] != KeyTable::kNone) order.emplace_back(entries[i], static_cast<int32_t>(with_key[i]));
    }
    std::sort(order.begin(), order.end());
    std::vector<int32_t> indexes;
    for (const auto& [_, row] : order) indexes.push_back(row);
    const auto count = static_cast<int64_t>(indexes.size());
    auto array = std::make_shared<arrow::Int32Array>(count, arrow::Buffer::FromVector(std::move(indexes)));
    auto taken = arrow::compute::Take(arrow::Datum(rows), arrow::Datum(array));
    if (!taken.ok()) return Status::internal(taken.status().ToString());
    const auto sorted = taken->record_batch();
    for (size_t begin = 0; begin < order.size();) {
      size_t end = begin;
      while (end < order.size() && order[end].first == order[begin].first) ++end;
      found[order[begin].first] = {sorted, static_cast<int64_t>(begin), static_cast<int64_t>(end - begin)};
      begin = end;
    }
    return {};
  }

  Result<LookupMatches> matches(const std::vector<uint32_t>& asked, const std::vector<uint32_t>& entries,
                                const std::vector<CachedRows>& found) const {
    arrow::RecordBatchVector pieces;
    std::vector<int64_t> begins(found.size());
    int64_t total = 0;
    for (size_t entry = 0; entry < found.size(); ++entry) {
      begins[entry] = total;
      total += found[entry].count;
      if (found[entry].count > 0)
        pieces.push_back(found[entry].batch->Slice(found[entry].begin, found[entry].count));
    }
    LookupMatches matches;
    auto table = arrow::Table::FromRecordBatches(schema_, pieces);
    if (!table.ok()) return Status::internal(table.status().ToString());
    auto whole = (*table)->CombineChunksToBatch();
    if (!whole.ok()) return Status(Code::exhausted, whole.status().message());
    matches.rows = *whole;
    for (size_t i = 0; i < asked.size(); ++i) {
      for (int64_t at = 0; at < found[entries[i]].count; ++at) {
        matches.left.push_back(static_cast<int32_t>(asked[i]));
        matches.right.push_back(static_cast<int32_t>(begins[entries[i]] + at));
      }
    }
    return matches;
  }

  AskedSettings settings_;
  std::shared_ptr<arrow::Schema> schema_;
  std::mutex mutex_;  // of what follows
  Server server_;
  const Clock& clock_;
  std::map<std::vector<std::string>, AnswerCache> caches_;  // by key columns
};

// The whole table, read anew at each interval: the server tells no version.
class WholeTable final : public FullTableSource {
 public:
  explicit WholeTable(Server server) : server_(std::move(server)) {}
  Result<std::string> stamp() override { return std::to_string(++looks_); }
  Result<std::shared_ptr<arrow::RecordBatch>> load() override { return server_.ask(server_.query().whole()); }

 private:
  Server server_;
  int64_t looks_ = 0;
};

Result<LookupQuery> query_of(const LookupContext& context) {
  const Options& options = context.options;
  const std::string table = options.string("table").empty() ? context.table : options.string("table");
  auto query = LookupQuery::create(options.string("database"), table, context.schema);
  if (!query.ok()) return query.status().with_context("table '" + context.table + "'");
  return query;
}

Status check(const LookupContext& context) {
  WEIR_TRY(check_lookup_options(context));
  WEIR_TRY(query_of(context).status());
  WEIR_TRY(clickhouse_server(context.options).status().with_context("table '" + context.table + "'"));
  const Options& options = context.options;
  auto wrong = [&](const std::string& name, const std::string& expected) {
    return Status::invalid("table '" + context.table + "': '" + name + "' must be " + expected);
  };
  if (options.integer("lookup.max-keys") < 1 || options.integer("lookup.max-keys") > 100'000)
    return wrong("lookup.max-keys", "1 to 100000");
  if (options.integer("lookup.partial-cache.max-rows") < 1)
    return wrong("lookup.partial-cache.max-rows", "1 or more");
  if (options.string("lookup.cache") == "PARTIAL") return {};
  for (const char* name : {"lookup.partial-cache.max-rows", "lookup.partial-cache.expire-after-write",
                           "lookup.partial-cache.cache-missing-key"}) {
    if (options.has(name)) {
      return Status::invalid("table '" + context.table + "': '" + name +
                             "' says something where 'lookup.cache' = 'PARTIAL' only");
    }
  }
  return {};
}

std::vector<OptionSpec> make_specs() {
  std::vector<OptionSpec> specs = clickhouse_server_option_specs();
  specs.push_back(option("database", OptionType::string, "default", "of the table"));
  specs.push_back(option("table", OptionType::string, "",
                         "name in ClickHouse; the table's name in this file when absent"));
  for (OptionSpec& spec : lookup_option_specs({"NONE", "PARTIAL", "FULL"}, "1 min"))
    specs.push_back(std::move(spec));
  specs.push_back(option("lookup.partial-cache.max-rows", OptionType::integer, "100000",
                         "rows that are held of the keys asked for; the longest unused go first"));
  specs.push_back(option("lookup.partial-cache.expire-after-write", OptionType::duration, "1 min",
                         "how long an answer counts; 0 s: until it is pushed out"));
  specs.push_back(option("lookup.partial-cache.cache-missing-key", OptionType::boolean, "true",
                         "remember too that a key has no row"));
  specs.push_back(option("lookup.max-keys", OptionType::integer, "1000", "keys that one statement asks for"));
  for (OptionSpec& spec : clickhouse_transport_option_specs()) specs.push_back(std::move(spec));
  return specs;
}

Result<std::shared_ptr<LookupTable>> create(LookupContext context) {
  const Options& options = context.options;
  const Clock& clock = context.clock != nullptr ? *context.clock : Clock::real();
  WEIR_ASSIGN(auto query, query_of(context));
  WEIR_ASSIGN(auto address, clickhouse_server(options));
  address.http.max_answer_bytes = kMaxAnswerBytes;
  AskedSettings settings;
  settings.max_retries = static_cast<int>(options.integer("lookup.max-retries"));
  settings.max_keys = static_cast<size_t>(options.integer("lookup.max-keys"));
  settings.cache = options.string("lookup.cache") == "PARTIAL";
  settings.cache_missing = options.boolean("lookup.partial-cache.cache-missing-key");
  settings.max_rows = options.integer("lookup.partial-cache.max-rows");
  settings.keep_us = options.duration("lookup.partial-cache.expire-after-write").count() * 1000;
  const bool whole = options.string("lookup.cache") == "FULL";
  // FullTable retries by itself.
  Server server(std::move(address), std::move(query), whole ? 0 : settings.max_retries, clock);
  if (whole) {
    return std::shared_ptr<LookupTable>(std::make_shared<FullTable>(
        full_table_settings(context), std::make_unique<WholeTable>(std::move(server))));
  }
  return std::shared_ptr<LookupTable>(
      std::make_shared<AskedTable>(settings, context.schema, std::move(server), clock));
}

}  // namespace

LookupConnector clickhouse_lookup_connector() {
  LookupConnector connector;
  connector.name = "clickhouse";
  connector.summary = "a ClickHouse table, asked for the keys of a batch over HTTP";
  connector.options = make_specs();
  connector.check = check;
  connector.create = create;
  return connector;
}

}  // namespace weir
