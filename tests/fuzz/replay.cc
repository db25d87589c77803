// tests/fuzz/replay.cc: plays inputs to a fuzz target where there is no libFuzzer.
//
//   fuzz_resp tests/fuzz/corpus/resp    its files, and inputs that are made of them
//   fuzz_resp FILE...                   these alone
//
// STARLING_FUZZ_RUNS=N (1000) inputs are made of the files of a folder: cut, flipped, spliced, or
// random; the same ones each time, since tests/fuzz/run is there to look for new ones. The inputs
// are played by a child, which tells before each which it is: so however it ends, the parent knows
// the input, saves it, and says how to play it again.
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace starling::fuzz {
namespace {

namespace files = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kRunsUsual = 1000;
constexpr std::size_t kBytesMax = 4096;

struct Named {
  std::string name;
  Bytes bytes;
};

std::optional<Bytes> ReadFile(const files::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

Bytes Noise(base::Random& random) {
  Bytes noise(random.Below(200));
  for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random.Next());
  return noise;
}

// One of the corpus with a few changes, or noise.
Bytes Made(base::Random& random, const std::vector<Named>& corpus) {
  const auto any = [&]() -> const Bytes& { return corpus[random.Below(corpus.size())].bytes; };
  Bytes made = any();
  for (std::uint64_t changes = 1 + random.Below(4); changes > 0; --changes) {
    const std::size_t at = random.Below(made.size() + 1);
    switch (random.Below(5)) {
      case 0: made.resize(at); break;
      case 1:
        if (at < made.size()) made[at] ^= static_cast<std::uint8_t>(1U << random.Below(8));
        break;
      case 2:
        if (at < made.size()) made[at] = static_cast<std::uint8_t>(random.Next());
        break;
      case 3: {  // From there on another's.
        const Bytes& other = any();
        made.resize(at);
        const std::size_t from = random.Below(other.size() + 1);
        made.insert(made.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        break;
      }
      case 4:
        if (random.Chance(0.1)) made = Noise(random);
        break;
    }
  }
  made.resize(std::min(made.size(), kBytesMax));
  return made;
}

std::uint64_t Runs() {
  const char* text = std::getenv("STARLING_FUZZ_RUNS");
  return text == nullptr ? kRunsUsual : std::stoull(text);
}

int Usage(const std::string& program, const std::string& why) {
  fmt::print(stderr, "{}: {}\nusage: {} FOLDER | FILE...\n", program, why, program);
  return 2;
}

// What was named, and what is made of it.
std::optional<std::vector<Named>> Inputs(const std::vector<std::string>& paths, std::string& why) {
  std::vector<Named> inputs;
  const auto add = [&](const files::path& path) {
    auto bytes = ReadFile(path);
    if (!bytes) {
      why = fmt::format("'{}' cannot be read", path.string());
      return false;
    }
    inputs.push_back({path.string(), *std::move(bytes)});
    return true;
  };
  const bool folder = paths.size() == 1 && files::is_directory(paths[0]);
  if (!folder) {
    for (const std::string& path : paths)
      if (!add(path)) return std::nullopt;
    return inputs;
  }
  std::vector<files::path> found;
  for (const auto& entry : files::directory_iterator(paths[0])) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  for (const files::path& path : found)
    if (!add(path)) return std::nullopt;
  if (inputs.empty()) {
    why = fmt::format("'{}' has no files", paths[0]);
    return std::nullopt;
  }
  const std::vector<Named> corpus = inputs;
  base::Random random(1);
  for (std::uint64_t run = 1; run <= Runs(); ++run)
    inputs.push_back({fmt::format("run {}", run), Made(random, corpus)});
  return inputs;
}

// `at` says which is being played; behind the last one, when all have passed.
void Play(const std::vector<Named>& inputs, std::size_t& at) {
  base::log::SetLevel(base::log::Level::kOff);
  for (at = 0; at < inputs.size(); ++at) {
    const Bytes exact(inputs[at].bytes);  // With no room behind it.
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }
}

int Tell(const std::string& program, const Named& input) {
  const files::path saved =
      files::temp_directory_path() /
      (files::path(program).filename().string() + "-" + std::to_string(getpid()) + ".bin");
  std::ofstream(saved, std::ios::binary)
      .write(reinterpret_cast<const char*>(input.bytes.data()),
             static_cast<std::streamsize>(input.bytes.size()));
  fmt::print(stderr, "{}: {} failed, {} bytes; it alone: {} {}\n", program, input.name,
             input.bytes.size(), program, saved.string());
  return 1;
}

int Main(const std::string& program, const std::vector<std::string>& paths) {
  if (paths.empty()) return Usage(program, "nothing to play is named");
  std::string why;
  const auto inputs = Inputs(paths, why);
  if (!inputs) return Usage(program, why);
  void* const shared =
      mmap(nullptr, sizeof(std::size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return Usage(program, "no memory to share");
  auto& at = *static_cast<std::size_t*>(shared);
  const pid_t child = fork();
  if (child < 0) return Usage(program, "no process to play in");
  if (child == 0) {
    Play(*inputs, at);
    return 0;
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (at < inputs->size()) return Tell(program, (*inputs)[at]);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;  // At its end: what leaked is told.
  fmt::print("{} inputs\n", inputs->size());
  return 0;
}

}  // namespace
}  // namespace starling::fuzz

int main(int argc, char** argv) {
  return starling::fuzz::Main(argv[0], std::vector<std::string>(argv + 1, argv + argc));
}
