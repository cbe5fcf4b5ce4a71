#include "sinks/clickhouse/changelog_rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "sinks/clickhouse/block_encoder.h"
#include "sinks/clickhouse/target_table.h"
#include "sinks/sink.h"

namespace weir {
namespace {

std::shared_ptr<arrow::RecordBatch> rows(const std::vector<int64_t>& offsets,
                                         const std::vector<int8_t>& weights) {
  arrow::Int64Builder ids, offset_builder;
  arrow::StringBuilder partitions;
  arrow::Int8Builder weight_builder;
  for (size_t i = 0; i < offsets.size(); ++i) {
    EXPECT_TRUE(ids.Append(7).ok() && partitions.Append("0").ok() && offset_builder.Append(offsets[i]).ok() &&
                weight_builder.Append(weights[i]).ok());
  }
  auto schema = arrow::schema({arrow::field("id", arrow::int64(), false),
                               arrow::field(kPartitionColumn, arrow::utf8(), false),
                               arrow::field(kOffsetColumn, arrow::int64(), false),
                               arrow::field(kWeightColumn, arrow::int8(), false)});
  return arrow::RecordBatch::Make(
      schema, static_cast<int64_t>(offsets.size()),
      {*ids.Finish(), *partitions.Finish(), *offset_builder.Finish(), *weight_builder.Finish()});
}

std::vector<uint64_t> versions_of(const arrow::RecordBatch& batch) {
  const auto& column = static_cast<const arrow::UInt64Array&>(*batch.GetColumnByName(kVersionColumn));
  return {column.raw_values(), column.raw_values() + column.length()};
}

TEST(ChangelogRows, LaterOffsetsWinAndWithinAnEventInsertsWinThenLaterRows) {
  const std::vector<uint64_t> rising = {
      row_version(0, true, 0),       row_version(0, true, 1),
      row_version(0, true, 4095),    row_version(0, false, 0),
      row_version(0, false, 1),      row_version(0, false, 1'000'000),
      row_version(1, true, 0),       row_version(1, false, 0),
      row_version(2, true, 0),       row_version(9, true, 0),
      row_version(1'000, false, 12), row_version(kHighestVersionedOffset, false, 4095)};
  for (size_t i = 1; i < rising.size(); ++i) EXPECT_LT(rising[i - 1], rising[i]) << i;
}

TEST(ChangelogRows, RowsGetVersionsByPositionAlone) {
  auto whole = with_versions(rows({3, 3, 3, 3, 8}, {-1, -1, 1, 1, -1}));
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_EQ(versions_of(**whole),
            (std::vector<uint64_t>{row_version(3, true, 0), row_version(3, true, 1), row_version(3, false, 2),
                                   row_version(3, false, 3), row_version(8, true, 0)}));
  const auto& deleted = static_cast<const arrow::UInt8Array&>(*(*whole)->GetColumnByName(kDeletedColumn));
  EXPECT_EQ((std::vector<uint8_t>(deleted.raw_values(), deleted.raw_values() + deleted.length())),
            (std::vector<uint8_t>{1, 1, 0, 0, 1}));
  auto alone = with_versions(rows({8}, {-1}));
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(versions_of(**alone), (std::vector<uint64_t>{row_version(8, true, 0)}));
  EXPECT_EQ(with_versions(rows({kHighestVersionedOffset + 1}, {1})).status().code(), Code::invalid);
}

TEST(ChangelogRows, ReplayedRowsKeepTheVersionThatTheyHad) {
  auto batch = rows({3, 3}, {-1, 1});
  arrow::Int64Builder builder;
  ASSERT_TRUE(builder.AppendValues({77, 78}).ok());
  auto with_old = batch->AddColumn(4, arrow::field(kVersionColumn, arrow::int64(), false), *builder.Finish());
  ASSERT_TRUE(with_old.ok());
  auto kept = with_versions(*with_old);
  ASSERT_TRUE(kept.ok()) << kept.status().message();
  EXPECT_EQ(versions_of(**kept), (std::vector<uint64_t>{77, 78}));
  EXPECT_EQ((*kept)->schema()->field_names(),
            (std::vector<std::string>{"id", kPartitionColumn, kOffsetColumn, kWeightColumn, kVersionColumn,
                                      kDeletedColumn}));
}

// Rows of a query that keeps state stand in one pseudo partition and are numbered on and on: an update is a
// retraction and an insertion of two numbers, and its epoch may end between them.
TEST(ChangelogRows, NumberedRowsOfSeveralEpochsWinInTheirOrder) {
  const std::vector<std::shared_ptr<arrow::RecordBatch>> epochs = {
      rows({0, 1, 2}, {1, -1, 1}), rows({3}, {-1}), rows({4, 5}, {1, -1}), rows({6}, {1})};
  std::vector<uint64_t> versions;
  for (const auto& epoch : epochs) {
    auto versioned = with_versions(epoch);
    ASSERT_TRUE(versioned.ok()) << versioned.status().message();
    // What persist writes and commit_persisted reads, perhaps in another process.
    auto written = rows_to_ipc({*versioned});
    ASSERT_TRUE(written.ok());
    auto read = rows_from_ipc(*written);
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->size(), 1u);
    EXPECT_TRUE((*read)[0]->Equals(**versioned));
    for (const uint64_t version : versions_of(*(*read)[0])) versions.push_back(version);
  }
  EXPECT_EQ(versions.size(), 7u);
  for (size_t i = 1; i < versions.size(); ++i) EXPECT_LT(versions[i - 1], versions[i]) << i;
}

TEST(ChangelogRows, EnginesThatReplace) {
  EXPECT_EQ(*changelog_engine("MergeTree"), "ReplacingMergeTree(_weir_version, _weir_deleted)");
  EXPECT_EQ(*changelog_engine("ReplicatedMergeTree"),
            "ReplicatedReplacingMergeTree(_weir_version, _weir_deleted)");
  const std::string paths = "ReplicatedReplacingMergeTree('/t', '{replica}', _weir_version, _weir_deleted)";
  EXPECT_EQ(*changelog_engine(paths), paths);
  for (const char* wrong : {"ReplacingMergeTree", "ReplacingMergeTree(_weir_version)", "Log",
                            "ReplacingMergeTree(_weir_deleted, _weir_version)",
                            "VersionedCollapsingMergeTree(_weir_version, _weir_deleted)"})
    EXPECT_EQ(changelog_engine(wrong).status().code(), Code::invalid) << wrong;
}

TEST(ChangelogRows, TheTableThatIsMade) {
  TableDefaults defaults;
  defaults.engine = *changelog_engine("MergeTree");
  defaults.order_by = "`id`";
  defaults.versions = true;
  defaults.sequence = false;
  auto text = create_statement(
      {"d", "t"},
      *arrow::schema({arrow::field("id", arrow::int64(), false), arrow::field("n", arrow::utf8())}),
      defaults);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text,
            "CREATE TABLE IF NOT EXISTS `d`.`t` (`id` Int64, `n` Nullable(String), _weir_partition "
            "LowCardinality(String), _weir_offset Int64, _weir_version UInt64, _weir_deleted UInt8) ENGINE = "
            "ReplacingMergeTree(_weir_version, _weir_deleted) ORDER BY (`id`) SETTINGS "
            "non_replicated_deduplication_window = 10000");
}

}  // namespace
}  // namespace weir
