#include "checkpoint/epoch_store.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <limits>

#include "base/environment.h"
#include "state/state_file.h"

namespace weir {
namespace {

constexpr size_t kDigits = 12;
constexpr size_t kRunDigits = 8;
constexpr std::string_view kManifestEnd = ".json";

std::string digits_of(int64_t epoch) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%012lld", static_cast<long long>(epoch));
  return digits;
}

std::optional<int64_t> epoch_of(std::string_view text) {
  int64_t epoch = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), epoch);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || digits_of(epoch) != text)
    return std::nullopt;
  return epoch;
}

bool is_plain(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' || letter == '_' ||
         letter == '.';
}

// A name as one part of a path.
std::string quoted(const std::string& name) {
  std::string result;
  for (const char letter : name) {
    if (is_plain(letter) && !(result.empty() && letter == '.')) {
      result += letter;
      continue;
    }
    char code[8];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(letter));
    result += code;
  }
  return result;
}

std::string unquoted(const std::string& part) {
  std::string result;
  for (size_t at = 0; at < part.size(); ++at) {
    unsigned value = 0;
    const char* code = part.data() + at + 1;
    if (part[at] == '%' && at + 2 < part.size() &&
        std::from_chars(code, code + 2, value, 16).ptr == code + 2) {
      result += static_cast<char>(value);
      at += 2;
    } else {
      result += part[at];
    }
  }
  return result;
}

std::string checkpoints_folder(const std::string& pipeline) { return pipeline + "/checkpoints"; }

bool is_damage(const Status& status) {
  return status.code() == Code::invalid || status.code() == Code::not_found;
}

}  // namespace

// What lies in the set's folder.
struct EpochStore::Listing {
  std::vector<int64_t> manifests;  // rising
  std::map<int64_t, std::vector<std::string>>
      files;  // by the folder's epoch: paths relative to the set's folder
};

EpochStore::EpochStore(ObjectStore& objects, const std::string& pipeline, const std::string& set)
    : objects_(objects),
      name_("'" + set + "' of pipeline '" + pipeline + "'"),
      folder_(checkpoints_folder(pipeline) + "/" + quoted(set)),
      run_(random_hex_id().substr(0, kRunDigits)) {}

std::string EpochStore::relative_path(int64_t epoch, const std::string& name) const {
  return digits_of(epoch) + "/" + run_ + "-" + quoted(name);
}
std::string EpochStore::state_path(int64_t epoch, const std::string& name) const {
  return folder_ + "/" + relative_path(epoch, name);
}
std::string EpochStore::object_path(const StateFile& file) const { return folder_ + "/" + file.path; }

Result<std::unique_ptr<ObjectWriter>> EpochStore::open_writer(int64_t epoch, const std::string& name) {
  auto writer = objects_.open_writer(state_path(epoch, name));
  if (!writer.ok()) return writer.status().with_context("writing a checkpoint");
  return writer;
}

Result<EpochStore::Listing> EpochStore::listing() {
  auto paths = objects_.list(folder_);
  if (!paths.ok()) return paths.status().with_context("listing checkpoints");
  Listing result;
  for (const std::string& path : *paths) {
    if (path.size() <= folder_.size() + 1) continue;
    const std::string_view relative = std::string_view(path).substr(folder_.size() + 1);
    const std::optional<int64_t> epoch = epoch_of(relative.substr(0, kDigits));
    if (!epoch) continue;
    const std::string_view rest = relative.substr(kDigits);
    if (rest == kManifestEnd) result.manifests.push_back(*epoch);
    if (rest.starts_with('/')) result.files[*epoch].emplace_back(relative);
  }
  std::sort(result.manifests.begin(), result.manifests.end());
  return result;
}

Result<EpochManifest> EpochStore::read(int64_t epoch, bool& newer) {
  newer = false;
  const std::string file = digits_of(epoch) + std::string(kManifestEnd);
  auto text = objects_.get(folder_ + "/" + file);
  if (!text.ok()) {
    if (text.status().code() == Code::not_found)
      return Status(Code::not_found, "there is no checkpoint " + std::to_string(epoch) + " of " + name_);
    return text.status().with_context("reading checkpoint " + std::to_string(epoch));
  }
  WEIR_ASSIGN(EpochManifest manifest, parse_manifest(*text, file, newer));
  if (manifest.epoch != epoch)
    return Status::invalid("the manifest '" + file + "' is damaged: it is that of epoch " +
                           std::to_string(manifest.epoch));
  return manifest;
}

Result<EpochManifest> EpochStore::manifest(int64_t epoch) {
  bool newer = false;
  return read(epoch, newer);
}

Status EpochStore::check(const EpochManifest& manifest, bool content) {
  for (const StateFile* file : manifest.files()) {
    const std::string path = object_path(*file);
    auto tail = objects_.tail(path, kStateTrailerBytes);
    if (!tail.ok()) {
      if (tail.status().code() == Code::not_found)
        return Status::invalid("its file '" + file->path + "' is missing");
      return tail.status().with_context("checking checkpoint " + std::to_string(manifest.epoch));
    }
    if (tail->size != file->size)
      return Status::invalid("its file '" + file->path + "' is damaged: it has " +
                             std::to_string(tail->size) + " bytes instead of " + std::to_string(file->size));
    if (state_trailer_crc(tail->bytes) != file->crc)
      return Status::invalid("its file '" + file->path + "' is damaged: it does not end in its checksum");
    if (!content) continue;
    auto reader = StateReader::open(objects_, path);
    if (!reader.ok()) return reader.status();
  }
  return {};
}

Result<EpochManifest> EpochStore::load(int64_t epoch) {
  WEIR_ASSIGN(EpochManifest loaded, manifest(epoch));
  WEIR_TRY(check(loaded));
  return loaded;
}

std::string EpochStore::unusable(int64_t epoch, const Status& why) const {
  return "checkpoint " + std::to_string(epoch) + " of " + name_ + " cannot be used: " + why.message();
}

Result<std::optional<EpochManifest>> EpochStore::newest_below(int64_t bound,
                                                              std::vector<std::string>& skipped) {
  WEIR_ASSIGN(const Listing found, listing());
  bool any = false;
  std::string first_problem;
  for (auto epoch = found.manifests.rbegin(); epoch != found.manifests.rend(); ++epoch) {
    if (*epoch >= bound) continue;
    any = true;
    bool newer = false;
    auto loaded = read(*epoch, newer);
    if (newer) return loaded.status();
    Status status = loaded.ok() ? check(*loaded) : loaded.status();
    if (status.ok()) {
      written_[*epoch] = *loaded;
      return std::optional<EpochManifest>(*std::move(loaded));
    }
    if (!is_damage(status)) return status;
    damaged_.insert(*epoch);
    const std::string words = unusable(*epoch, status);
    if (first_problem.empty()) first_problem = words;
    skipped.push_back(words);
  }
  if (!any) return std::optional<EpochManifest>();
  return Status::invalid("no checkpoint of " + name_ + " is whole; the newest: " + first_problem);
}

Result<std::optional<EpochManifest>> EpochStore::newest(std::vector<std::string>& skipped) {
  return newest_below(std::numeric_limits<int64_t>::max(), skipped);
}

Result<EpochManifest> EpochStore::older_than(int64_t epoch, const Status& why,
                                             std::vector<std::string>& skipped) {
  damaged_.insert(epoch);
  skipped.push_back(unusable(epoch, why));
  WEIR_ASSIGN(std::optional<EpochManifest> older, newest_below(epoch, skipped));
  if (!older)
    return Status::invalid("no checkpoint of " + name_ + " is whole; the newest: " + unusable(epoch, why));
  return *std::move(older);
}

Result<int64_t> EpochStore::next_epoch() {
  WEIR_ASSIGN(const Listing found, listing());
  return found.manifests.empty() ? 1 : found.manifests.back() + 1;
}

Status EpochStore::write(EpochManifest manifest) {
  const std::string what = "writing checkpoint " + std::to_string(manifest.epoch);
  auto note_crc = [&](StateFile& file) -> Status {
    if (file.crc != 0) return {};
    auto tail = objects_.tail(object_path(file), kStateTrailerBytes);
    if (!tail.ok()) return tail.status().with_context(what);
    const std::optional<uint32_t> crc = state_trailer_crc(tail->bytes);
    if (!crc || tail->size != file.size)
      return Status::internal(what + ": '" + file.path + "' is not the state file that was written");
    file.crc = *crc;
    return {};
  };
  for (auto& [name, file] : manifest.states) WEIR_TRY(note_crc(file));
  for (auto& [sink, files] : manifest.spools) {
    for (StateFile& file : files) WEIR_TRY(note_crc(file));
  }
  WEIR_ASSIGN(const std::string text, encode_manifest(manifest));
  const std::string path = folder_ + "/" + digits_of(manifest.epoch) + std::string(kManifestEnd);
  Status put = objects_.put_if_absent(path, text);
  if (put.code() == Code::already_exists) {
    // Perhaps by a put of ours whose answer was lost.
    auto there = objects_.get(path);
    if (!there.ok()) return there.status().with_context(what);
    if (*there != text)
      return {Code::already_exists, "checkpoint " + std::to_string(manifest.epoch) + " of " + name_ +
                                        " is there already: another process runs this pipeline"};
    put = {};
  }
  WEIR_TRY(put.with_context(what));
  written_[manifest.epoch] = std::move(manifest);
  return {};
}

Status EpochStore::prune(size_t keep) {
  WEIR_ASSIGN(const Listing found, listing());
  if (found.manifests.empty()) return {};
  std::set<std::string> named;
  std::set<int64_t> unreadable;
  int64_t oldest_kept = found.manifests.back();
  size_t kept = 0;
  for (auto epoch = found.manifests.rbegin(); epoch != found.manifests.rend(); ++epoch) {
    auto cached = written_.find(*epoch);
    if (cached == written_.end()) {
      auto loaded = manifest(*epoch);
      if (!loaded.ok() && !is_damage(loaded.status())) return loaded.status();
      if (loaded.ok()) cached = written_.emplace(*epoch, *std::move(loaded)).first;
    }
    if (cached == written_.end()) {
      unreadable.insert(*epoch);
      continue;
    }
    for (const StateFile* file : cached->second.files()) named.insert(file->path);
    oldest_kept = *epoch;
    if (damaged_.count(*epoch) == 0 && ++kept >= std::max<size_t>(keep, 1)) break;
  }
  if (kept == 0) return {};
  written_.erase(written_.begin(), written_.lower_bound(oldest_kept));
  // Manifests first, the oldest first: at no moment does one name what is gone.
  for (const int64_t epoch : found.manifests) {
    if (epoch >= oldest_kept) break;
    WEIR_TRY(objects_.remove(folder_ + "/" + digits_of(epoch) + std::string(kManifestEnd)));
  }
  for (const auto& [epoch, files] : found.files) {
    if (epoch > found.manifests.back()) break;
    if (epoch >= oldest_kept && unreadable.count(epoch) > 0) continue;
    if (std::none_of(files.begin(), files.end(), [&](const auto& file) { return named.count(file) > 0; })) {
      WEIR_TRY(objects_.remove_folder(folder_ + "/" + digits_of(epoch)));
      continue;
    }
    for (const std::string& file : files) {
      if (named.count(file) == 0) WEIR_TRY(objects_.remove(folder_ + "/" + file));
    }
  }
  return {};
}

Result<std::vector<EpochSummary>> EpochStore::list() {
  WEIR_ASSIGN(const Listing found, listing());
  std::vector<EpochSummary> result;
  for (const int64_t epoch : found.manifests) {
    EpochSummary summary;
    summary.epoch = epoch;
    auto loaded = manifest(epoch);
    Status status = loaded.status();
    if (loaded.ok()) {
      summary.created_us = loaded->created_us;
      summary.bytes = loaded->bytes();
      status = check(*loaded);
    }
    if (!status.ok() && !is_damage(status)) return status;
    summary.problem = status.message();
    result.push_back(std::move(summary));
  }
  return result;
}

Result<std::vector<std::string>> sets_with_epochs(ObjectStore& objects, const std::string& pipeline) {
  const std::string folder = checkpoints_folder(pipeline);
  auto paths = objects.list(folder);
  if (!paths.ok()) return paths.status().with_context("listing checkpoints");
  std::set<std::string> sets;
  for (const std::string& path : *paths) {
    if (path.size() <= folder.size() + 1) continue;
    const std::string relative = path.substr(folder.size() + 1);
    const size_t slash = relative.find('/');
    if (slash != std::string::npos && relative.ends_with(kManifestEnd))
      sets.insert(unquoted(relative.substr(0, slash)));
  }
  return std::vector<std::string>(sets.begin(), sets.end());
}

}  // namespace weir
