#include "tools/starling/lines.h"

#include <fmt/core.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/base64.h"
#include "base/printable.h"
#include "server/wire/limits.h"

namespace starling::cli {

using base::Fail;
using base::InvalidArgument;
using base::Result;
using nlohmann::json;

namespace {

constexpr std::size_t kQuotedBytesMax = 40;   // Of what a line has in place of what belongs there.
constexpr std::size_t kReasonBytesMax = 200;  // Of why it is no JSON, which quotes it, too.

// The field's text, out of "name" or "name_base64"; which of the two, only one may be there.
Result<std::optional<std::string>> TakeText(json& object, const std::string& name) {
  const auto plain = object.find(name);
  const auto coded = object.find(name + "_base64");
  if (plain != object.end() && coded != object.end())
    return Fail(InvalidArgument(fmt::format("both {0} and {0}_base64 are given", name)));
  if (plain == object.end() && coded == object.end()) return std::optional<std::string>();
  const auto& field = plain != object.end() ? plain : coded;
  if (!field->is_string()) return Fail(InvalidArgument(fmt::format("{} is no string", name)));
  std::string text = field->get<std::string>();
  if (plain == object.end()) {
    auto bytes = base::FromBase64(text);
    if (!bytes) return Fail(bytes.error().Annotate(name + "_base64"));
    text = *std::move(bytes);
  }
  object.erase(field);
  return std::optional(std::move(text));
}

// Refused here, with the line's number: what is over the limit would be refused by the node too,
// but is not always a number that a duration can hold on the way there.
base::Status CheckTtl(std::uint64_t ttl_ms) {
  if (ttl_ms <= wire::kTtlMsMax) return base::Ok();
  return InvalidArgument(
      fmt::format("ttl_ms {} is too long: {}, 20 years, is the most", ttl_ms, wire::kTtlMsMax));
}

// "syntax error while parsing value - invalid string: ill-formed UTF-8 byte; last read: '...'"
std::string ReasonOf(const json::exception& error) {
  const std::string_view said = error.what();  // "[json.exception.parse_error.101] parse ...: "
  const std::size_t place = said.find(": ");
  return base::Printable(place == said.npos ? said : said.substr(place + 2), kReasonBytesMax);
}

Result<Record> ParseJson(std::string_view line) {
  json object;
  try {
    object = json::parse(line);
  } catch (const json::exception& error) {  // Nothing else tells why.
    return Fail(InvalidArgument("the line is no JSON object: " + ReasonOf(error)));
  }
  if (!object.is_object()) return Fail(InvalidArgument("the line is no JSON object"));
  Record record;
  ASSIGN_OR_RETURN(auto key, TakeText(object, "key"));
  ASSIGN_OR_RETURN(auto value, TakeText(object, "value"));
  if (!key) return Fail(InvalidArgument("there is no key"));
  if (!value) return Fail(InvalidArgument("there is neither value nor value_base64"));
  record.key = *std::move(key);
  record.value = *std::move(value);
  if (const auto ttl = object.find("ttl_ms"); ttl != object.end()) {
    if (!ttl->is_number_unsigned() || ttl->get<std::uint64_t>() == 0)
      return Fail(InvalidArgument("ttl_ms is no positive whole number"));
    record.ttl_ms = ttl->get<std::uint64_t>();
    object.erase(ttl);
  }
  if (!object.empty())
    return Fail(
        InvalidArgument(fmt::format("field '{}' is unknown: a line has key, value or "
                                    "value_base64, and ttl_ms",
                                    base::Printable(object.begin().key(), kQuotedBytesMax))));
  return record;
}

Result<std::string> Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    switch (++i < text.size() ? text[i] : '\0') {
      case 't': plain += '\t'; break;
      case 'n': plain += '\n'; break;
      case 'r': plain += '\r'; break;
      case '\\': plain += '\\'; break;
      default: return Fail(InvalidArgument("a backslash stands before other than t, n, r or \\"));
    }
  }
  return plain;
}

void EscapeTo(std::string_view plain, std::string& out) {
  for (const char c : plain) {
    switch (c) {
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
}

Result<Record> ParseTsv(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return Fail(InvalidArgument("there is no tab after the key"));
  const std::size_t second = line.find('\t', tab + 1);
  Record record;
  ASSIGN_OR_RETURN(record.key, Unescape(line.substr(0, tab)));
  ASSIGN_OR_RETURN(record.value, Unescape(line.substr(tab + 1, second - tab - 1)));
  if (second == std::string_view::npos) return record;
  const std::string_view ttl = line.substr(second + 1);
  const auto [end, error] = std::from_chars(ttl.data(), ttl.data() + ttl.size(), record.ttl_ms);
  if (error != std::errc{} || end != ttl.data() + ttl.size() || record.ttl_ms == 0)
    return Fail(InvalidArgument(fmt::format("ttl_ms '{}' is no positive whole number",
                                            base::Printable(ttl, kQuotedBytesMax))));
  return record;
}

void FormatJsonTo(const Record& record, std::string& out) {
  json object;
  const auto add = [&](const std::string& name, const std::string& bytes) {
    if (base::IsUtf8(bytes))
      object[name] = bytes;
    else
      object[name + "_base64"] = base::ToBase64(bytes);
  };
  add("key", record.key);
  add("value", record.value);
  if (record.ttl_ms != 0) object["ttl_ms"] = record.ttl_ms;
  out += object.dump();
}

void FormatTsvTo(const Record& record, std::string& out) {
  EscapeTo(record.key, out);
  out += '\t';
  EscapeTo(record.value, out);
  if (record.ttl_ms != 0) out += fmt::format("\t{}", record.ttl_ms);
}

}  // namespace

Result<Format> ParseFormat(std::string_view text) {
  if (text == "jsonl") return Format::kJsonl;
  if (text == "tsv") return Format::kTsv;
  return Fail(InvalidArgument(fmt::format("'{}' is no format: jsonl or tsv is", text)));
}

Result<Record> ParseLine(std::string_view line, Format format) {
  ASSIGN_OR_RETURN(Record record, format == Format::kJsonl ? ParseJson(line) : ParseTsv(line));
  if (record.key.empty()) return Fail(InvalidArgument("the key is empty"));
  RETURN_IF_ERROR(CheckTtl(record.ttl_ms));
  return record;
}

void FormatLineTo(const Record& record, Format format, std::string& out) {
  if (format == Format::kJsonl)
    FormatJsonTo(record, out);
  else
    FormatTsvTo(record, out);
  out += '\n';
}

}  // namespace starling::cli
