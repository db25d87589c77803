#include "tools/stress/history.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace starling::stress {

using base::Fail;
using base::InvalidArgument;
using base::Result;

namespace {

constexpr std::string_view kHead = "# starling-history 1 run=";
constexpr std::string_view kDeletes = " deletes=";
constexpr std::string_view kKeyspace = " keyspace=";
constexpr std::string_view kEnd = "# end";
constexpr std::string_view kTypes[] = {"put", "del", "get"};
constexpr std::string_view kOutcomes[] = {"ok", "unknown", "failed"};

// Takes the text up to the next tab off the front.
std::string_view TakeField(std::string_view& line) {
  const std::size_t tab = line.find('\t');
  const std::string_view field = line.substr(0, tab);
  line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  return field;
}

template <typename T>
bool ParseNumber(std::string_view text, T* into, int radix = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *into, radix);
  return error == std::errc{} && end == text.data() + text.size();
}

template <typename T, std::size_t kCount>
bool ParseName(std::string_view text, const std::string_view (&names)[kCount], T* into) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (names[i] != text) continue;
    *into = static_cast<T>(i);
    return true;
  }
  return false;
}

bool ParseId(std::string_view text, std::uint64_t* id) {
  *id = text == "-" ? kNothing : kForeign;
  return text == "-" || text == "?" || ParseNumber(text, id, 16);
}

bool ParseVersion(std::string_view text, base::Version* version) {
  const auto parsed = text == "-" ? std::optional(base::Version{}) : base::Version::Parse(text);
  if (parsed) *version = *parsed;
  return parsed.has_value();
}

std::string FormatId(std::uint64_t id) {
  if (id == kNothing) return "-";
  return id == kForeign ? "?" : fmt::format("{:016x}", id);
}

}  // namespace

std::string FormatEvent(const Event& event, const base::Version& version) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}", event.invoke_us, event.return_us,
                     kTypes[static_cast<std::size_t>(event.type)],
                     kOutcomes[static_cast<std::size_t>(event.outcome)], event.record,
                     FormatId(event.id), version.empty() ? "-" : version.ToString());
}

Result<Event> ParseEvent(std::string_view line, base::Version* version) {
  Event event;
  const bool sound = ParseNumber(TakeField(line), &event.invoke_us) &&
                     ParseNumber(TakeField(line), &event.return_us) &&
                     ParseName(TakeField(line), kTypes, &event.type) &&
                     ParseName(TakeField(line), kOutcomes, &event.outcome) &&
                     ParseNumber(TakeField(line), &event.record) &&
                     ParseId(TakeField(line), &event.id) && ParseVersion(TakeField(line), version);
  if (!sound || !line.empty() || event.return_us < event.invoke_us)
    return Fail(InvalidArgument("it is no event of a history"));
  return event;
}

std::string FormatHead(const HistoryHead& head) {
  return fmt::format("{}{:06x}{}{}{}{}", kHead, head.run, kDeletes, head.deletes ? "yes" : "no",
                     kKeyspace, head.keyspace);
}

Result<HistoryHead> ParseHead(std::string_view line) {
  const std::size_t deletes = line.find(kDeletes);
  const std::size_t keyspace = line.find(kKeyspace);
  HistoryHead head;
  if (line.starts_with(kHead) && deletes < keyspace && keyspace != std::string_view::npos) {
    const std::string_view run = line.substr(kHead.size(), deletes - kHead.size());
    const std::size_t answer = deletes + kDeletes.size();
    const std::string_view may_delete = line.substr(answer, keyspace - answer);
    head.deletes = may_delete == "yes";
    head.keyspace = line.substr(keyspace + kKeyspace.size());
    if (ParseNumber(run, &head.run, 16) && head.run > 0 && head.run <= kRunMax &&
        (head.deletes || may_delete == "no") && !head.keyspace.empty())
      return head;
  }
  return Fail(InvalidArgument("it does not begin as a history of starling-stress does"));
}

Result<HistoryFile> HistoryFile::Create(const std::string& path, const HistoryHead& head) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr)
    return Fail(
        base::Io(fmt::format("history '{}' can't be made: {}", path, std::strerror(errno))));
  HistoryFile made(path, file);
  fmt::print(file, "{}\n", FormatHead(head));
  RETURN_IF_ERROR(made.Flush());
  return made;
}

void HistoryFile::Write(const Event& event, const base::Version& version) {
  const std::string line = FormatEvent(event, version) + '\n';
  std::fwrite(line.data(), 1, line.size(), file_.get());  // Flush tells of failures.
}

base::Status HistoryFile::Flush() {
  if (std::fflush(file_.get()) == 0 && std::ferror(file_.get()) == 0) return base::Ok();
  return base::Io(fmt::format("history '{}' can't be written: {}", path_, std::strerror(errno)));
}

base::Status HistoryFile::End() {
  fmt::print(file_.get(), "{}\n", kEnd);
  return Flush();
}

Result<History> ReadHistory(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return Fail(
        base::Io(fmt::format("history '{}' can't be read: {}", path, std::strerror(errno))));
  const auto at = [&](std::uint64_t number) {
    return fmt::format("history '{}', line {}", path, number);
  };
  std::string line;
  if (!std::getline(file, line)) line.clear();
  auto head = ParseHead(line);
  if (!head || file.eof())
    return Fail(InvalidArgument(fmt::format("'{}' is no history of starling-stress", path)));
  History history{.head = *std::move(head), .events = {}};
  for (std::uint64_t number = 2; std::getline(file, line) && !file.eof(); ++number) {
    if (history.complete) return Fail(InvalidArgument(at(number) + ": it stands after the end"));
    if (line == kEnd) {
      history.complete = true;
      continue;
    }
    base::Version version;
    const auto event = ParseEvent(line, &version);
    if (!event) return Fail(event.error().Annotate(at(number)));
    history.events.push_back(*event);
    if (event->type == EventType::kGet || event->outcome != Outcome::kOk) continue;
    base::Version& newest = history.newest[event->record];
    newest = std::max(newest, version);
  }
  if (file.bad()) return Fail(base::Io(fmt::format("history '{}' can't be read to its end", path)));
  return history;
}

}  // namespace starling::stress
