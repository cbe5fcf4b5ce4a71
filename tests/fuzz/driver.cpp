// A fuzz target as a short test, without libFuzzer: every file of the corpus, then a fixed number of
// mutations of them, the same in each run. An input that crashes the target is told by its number:
// RUN_ONLY=<number> runs it again.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutations = 20'000;
constexpr size_t kMostBytes = 64 << 10;

std::string mutated(const std::vector<std::string>& corpus, std::mt19937_64& random) {
  const auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
  std::string text = corpus[below(corpus.size())];
  for (size_t change = 0, changes = 1 + below(4); change < changes; ++change) {
    const size_t at = below(text.size() + 1);
    switch (below(6)) {
      case 0: text.insert(at, 1, static_cast<char>(random())); break;
      case 1: text.erase(at, 1 + below(8)); break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 4: {
        const std::string& other = corpus[below(corpus.size())];
        const size_t from = below(other.size() + 1);
        text.insert(at, other.substr(from, below(64)));
        break;
      }
      default: text.resize(at); break;
    }
  }
  if (text.size() > kMostBytes) text.resize(kMostBytes);
  return text;
}

// From the heap at its exact size, so that a sanitizer or valgrind sees a read beyond it.
void run(const std::string& text) {
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fprintf(stderr, "no corpus: give a folder with at least one file\n");
    return 2;
  }
  std::vector<std::string> corpus;
  for (const auto& path : files) {
    std::ifstream in(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    std::fprintf(stderr, "%s\n", path.filename().c_str());
    run(corpus.back());
  }
  const char* only = std::getenv("RUN_ONLY");
  for (int number = 0; number < kMutations; ++number) {
    std::mt19937_64 random(static_cast<uint64_t>(number));
    const std::string text = mutated(corpus, random);
    if (only != nullptr && std::atoi(only) != number) continue;
    if (number % 1000 == 0) std::fprintf(stderr, "mutation %d\n", number);
    run(text);
  }
  std::printf("%zu inputs of the corpus, %d mutations\n", corpus.size(), kMutations);
  return 0;
}
