#include "sources/file/file_source.h"

#include <glob.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "sources/file/line_reader.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

bool is_glob(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return (error ? fs::path(path) : absolute).lexically_normal().string();
}

Result<std::vector<std::string>> files_of_folder(const std::string& path) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.front() != '.' && it->is_regular_file(ignored)) files.push_back(it->path().string());
  }
  if (error == std::errc::permission_denied) {
    return Status{Code::denied, "cannot read folder '" + path + "': " + error.message()};
  }
  if (error) return Status::unavailable("cannot read folder '" + path + "': " + error.message());
  return files;
}

Result<std::vector<std::string>> files_of_glob(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  const int result = ::glob(pattern.c_str(), 0, nullptr, &found);
  for (size_t i = 0; result == 0 && i < found.gl_pathc; ++i) {
    std::error_code ignored;
    if (fs::is_regular_file(found.gl_pathv[i], ignored)) files.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  if (result != 0 && result != GLOB_NOMATCH) return Status::unavailable("cannot expand '" + pattern + "'");
  return files;
}

// Absolute, sorted paths. `path` is the absolute form of the option.
Result<std::vector<std::string>> list_files(const std::string& path, bool may_be_empty) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  std::vector<std::string> files;
  if (fs::is_directory(status)) {
    WEIR_ASSIGN(files, files_of_folder(path));
    if (files.empty() && !may_be_empty) return Status{Code::not_found, "folder '" + path + "' has no files"};
  } else if (fs::exists(status)) {
    files.push_back(path);
  } else if (status.type() == fs::file_type::none && error == std::errc::permission_denied) {
    return Status{Code::denied, "cannot look at '" + path + "': " + error.message()};
  } else if (is_glob(path)) {
    WEIR_ASSIGN(files, files_of_glob(path));
    if (files.empty() && !may_be_empty) return Status{Code::not_found, "no file matches '" + path + "'"};
  } else {
    return Status{Code::not_found, "file '" + path + "' does not exist"};
  }
  std::sort(files.begin(), files.end());
  return files;
}

constexpr size_t kFingerprintBytes = 4096;

// A hash of the file's first line, of 4 KB of it at most: a file that is written anew under its old name is
// another log. Nothing while that line is not whole (`partial_counts` false) or the file is empty: its
// identity is not known yet.
Result<std::optional<std::string>> fingerprint(const std::string& path, Compression compression,
                                               bool partial_counts) {
  WEIR_ASSIGN(auto stream, open_byte_stream(path, compression));
  std::string begin(kFingerprintBytes, '\0');
  size_t size = 0;
  while (size < begin.size()) {
    WEIR_ASSIGN(const size_t read, stream->read(begin.data() + size, begin.size() - size));
    if (read == 0) break;
    size += read;
  }
  const size_t newline = std::string_view(begin).substr(0, size).find('\n');
  const bool whole = newline != std::string_view::npos || size == begin.size();
  if (!whole && !partial_counts) return std::optional<std::string>();
  if (size == 0) {
    // Compressed data that gives nothing is for its reader to judge.
    WEIR_ASSIGN(const FileState state, file_state(path));
    if (state.size == 0) return std::optional<std::string>();
  }
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a, 64 bits
  for (size_t i = 0; i < std::min(newline, size); ++i) {
    hash = (hash ^ static_cast<unsigned char>(begin[i])) * 1099511628211ULL;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return std::optional<std::string>(text);
}

std::string path_of(const std::string& partition) { return partition.substr(0, partition.rfind('#')); }

// A partition is a file: its id is "<absolute path>#<fingerprint>".
class FileSource final : public Source {
 public:
  explicit FileSource(SourceContext context)
      : context_(std::move(context)),
        path_(absolute_path(context_.options.string("path"))),
        follow_(context_.options.boolean("follow") && !context_.once) {}

  // A file that is followed has no end, also where --once reads what is there.
  Result<std::vector<std::string>> discover(const std::vector<std::string>& known_partitions) override {
    WEIR_ASSIGN(std::vector<std::string> files, list_files(path_, follow_));
    std::vector<std::string> partitions;
    for (const std::string& file : files) {
      auto known = ids_.find(file);
      if (known == ids_.end()) {
        WEIR_ASSIGN(auto print, fingerprint(file, compression(file), !follow_));
        if (!print) continue;
        known = ids_.emplace(file, file + "#" + *print).first;
      }
      partitions.push_back(known->second);
    }
    if (context_.options.string("scan.on-missing-file") == "fail") {
      WEIR_TRY(miss_no_file(files, partitions, known_partitions));
    }
    return partitions;
  }

  bool may_grow() const override { return follow_; }

  bool bounded() const override { return !context_.options.boolean("follow"); }

  GroupMember* group() override { return nullptr; }

  Result<std::unique_ptr<PartitionReader>> open(const std::string& partition,
                                                std::optional<int64_t> stored) override {
    LineReaderSettings settings;
    settings.path = path_of(partition);
    settings.compression = compression(settings.path);
    settings.follow = follow_;
    settings.poll_interval = context_.options.duration("scan.poll-interval");
    settings.max_line_bytes = static_cast<size_t>(context_.options.size("max-line-size"));
    settings.batch_rows = context_.batch_rows;
    settings.clock = context_.clock;
    return open_line_reader(std::move(settings), stored);
  }

 private:
  Compression compression(const std::string& file) const {
    const std::string chosen = context_.options.string("compression");
    return chosen == "auto"   ? compression_of(file)
           : chosen == "gzip" ? Compression::gzip
           : chosen == "zstd" ? Compression::zstd
                              : Compression::none;
  }

  // Every file that was read from before must be there, with the beginning that it had.
  Status miss_no_file(const std::vector<std::string>& files, const std::vector<std::string>& partitions,
                      const std::vector<std::string>& known_partitions) const {
    for (const std::string& known : known_partitions) {
      if (std::find(partitions.begin(), partitions.end(), known) != partitions.end()) continue;
      const std::string file = path_of(known);
      if (std::binary_search(files.begin(), files.end(), file)) {
        return Status::invalid(
            "file '" + file +
            "' no longer begins as it did when this pipeline read from it: it was replaced or cut. "
            "Put the old one back, or set "
            "'scan.on-missing-file' = 'continue' to read the new one from its begin");
      }
      return Status{Code::not_found, "file '" + file +
                                         "', which this pipeline has read from, is gone from '" + path_ +
                                         "': put it back, or set 'scan.on-missing-file' = 'continue'"};
    }
    return {};
  }

  SourceContext context_;
  std::string path_;
  bool follow_;                             // --once reads what is there: then the last line needs no newline
  std::map<std::string, std::string> ids_;  // path -> partition id, once known
};

std::vector<OptionSpec> file_options() {
  return {
      {.name = "path",
       .default_value = "",
       .help = "a file, a folder (its files) or a glob such as '/data/*.json.gz'",
       .required = true,
       .choices = {}},
      {.name = "compression",
       .type = OptionType::choice,
       .default_value = "auto",
       .help = "auto: by the extension, .gz or .zst",
       .choices = {"auto", "none", "gzip", "zstd"}},
      {.name = "follow",
       .type = OptionType::boolean,
       .default_value = "false",
       .help = "wait for new lines and new files at the end",
       .choices = {}},
      {.name = "scan.poll-interval",
       .type = OptionType::duration,
       .default_value = "200 ms",
       .help = "how often a followed file is looked at",
       .choices = {}},
      {.name = "max-line-size",
       .type = OptionType::size,
       .default_value = "16 mb",
       .help = "a longer line goes to the error lake, cut to this size",
       .choices = {}},
      {.name = "scan.on-missing-file",
       .type = OptionType::choice,
       .default_value = "fail",
       .help = "when a file that was read from before is gone or was replaced: stop, or go on without it",
       .choices = {"fail", "continue"}},
  };
}

Result<std::unique_ptr<Source>> create_file_source(SourceContext context) {
  const int64_t bound = context.options.size("max-line-size");
  if (bound < 1 || bound > int64_t{1} << 30) {
    return Status::invalid("'max-line-size' must be between 1 byte and 1 gb");
  }
  return std::unique_ptr<Source>(std::make_unique<FileSource>(std::move(context)));
}

Status probe_files(const SourceContext& context) {
  WEIR_ASSIGN(const std::vector<std::string> files,
              list_files(absolute_path(context.options.string("path")), context.options.boolean("follow")));
  for (const std::string& file : files) {
    Result<std::unique_ptr<ByteStream>> opened = open_byte_stream(file, Compression::none);
    if (!opened.ok()) return opened.status();
  }
  return {};
}

}  // namespace

SourceConnector file_connector() {
  return {"file", "lines of files: plain, gzip or zstd, read once or followed", file_options(),
          create_file_source, probe_files};
}

}  // namespace weir
