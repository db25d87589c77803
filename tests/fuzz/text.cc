// Goal:   no text that a user, an operator or a file hands in crashes who reads it; what is taken
//         can be printed, and is then read as the same.
// Method: the first byte says what the rest is: a line to import, arguments in JSON, a snapshot's
//         manifest, keys, settings, or one of the small things among them.
#include <array>
#include <string>

#include "base/address.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/host_id.h"
#include "base/json_object.h"
#include "base/printable.h"
#include "gossip/keyring.h"
#include "server/config.h"
#include "server/config_units.h"
#include "server/snapshot_manifest.h"
#include "server/topology/topology.h"
#include "server/wire/messages.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/round_trip.h"
#include "tools/starling/lines.h"

namespace starling::server {
namespace {

using fuzz::Exact;
using fuzz::Input;
using fuzz::RoundTrip;

// Lines of records: a value with its last byte.
template <cli::Format kFormat>
void TryLine(Input& in) {
  RoundTrip(
      in.Rest(), [](base::Bytes line) { return cli::ParseLine(line, kFormat); },
      [](const cli::Record& record) {
        std::string line;
        cli::FormatLineTo(record, kFormat, line);
        CHECK(line.find('\n') == line.size() - 1);
        line.pop_back();
        return line;
      });
}

void TryJson(Input& in) {
  const std::string field(in.ShortPiece());
  const Exact text(in.Rest());
  const auto object = base::JsonObject::Parse(text.bytes());
  if (!object) return;
  for (const std::string& name : {field, std::string("a")}) {
    (void)object->Text(name);
    (void)object->Flag(name);
    (void)object->Whole(name);
    (void)object->Texts(name);
    (void)object->Bytes(name);
  }
}

// As it is, and what can be read of it.
void TryManifest(Input& in) {
  const Exact text(in.Rest());
  (void)ParseManifest(text.bytes());
  const auto read = ParseManifest(text.bytes(), Damaged::kSkip);
  if (!read) return;
  const auto encode = [](const SnapshotManifest& manifest) { return ToJson(manifest); };
  const std::string sound = encode(*read);
  CHECK(RoundTrip(
      sound, [](base::Bytes bytes) { return ParseManifest(bytes); }, encode));
}

void TryKeyring(Input& in) {
  const Exact text(in.Rest());
  (void)gossip::ParseKeyId(text.bytes());
  (void)gossip::ParseKey(text.bytes());
  RoundTrip(text.bytes(), gossip::Keyring::Parse,
            [](const gossip::Keyring& keyring) { return keyring.Print(); });
}

// As of `starlingd --set` and of the environment; files have the same keys and values.
void TrySettings(Input& in) {
  ConfigSources sources;
  for (int left = in.Byte() % 4; left > 0; --left) {
    const std::string key(in.ShortPiece());
    sources.settings.emplace_back(key, std::string(in.ShortPiece()));
  }
  for (int left = in.Byte() % 4; left > 0; --left)
    sources.environment.push_back("STARLING_" + std::string(in.ShortPiece()));
  const auto config = LoadConfig(sources);
  if (config) CHECK(CheckConfig(*config).ok());
}

void TrySmall(Input& in) {
  const std::uint8_t what = in.Byte();
  const base::Bytes text = in.Rest();
  switch (what % 8) {
    case 0: RoundTrip(text, ParseDuration, FormatDuration); return;
    case 1: RoundTrip(text, ParseSize, FormatSize); return;
    case 2:
      RoundTrip(
          text, [](base::Bytes bytes) { return base::ParseAddress(bytes); },
          [](const base::Address& address) { return address.ToString(); });
      return;
    case 3:
      RoundTrip(text, base::HostId::Parse, [](const base::HostId& id) { return id.ToString(); });
      return;
    case 4:
      RoundTrip(text, topology::Replication::Parse,
                [](const topology::Replication& replication) { return replication.ToString(); });
      return;
    case 5:
      RoundTrip(text, wire::ParseConsistency,
                [](wire::Consistency level) { return std::string(wire::ConsistencyName(level)); });
      return;
    case 6:
      RoundTrip(text, base::FromBase64,
                [](const std::string& bytes) { return base::ToBase64(bytes); });
      return;
    case 7: {
      const std::size_t most = 4 + what;
      const std::string shown = base::Printable(text, most);
      CHECK(base::IsUtf8(shown));
      return;
    }
  }
}

}  // namespace
}  // namespace starling::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::server;
  constexpr std::array kTries = {TryLine<cli::Format::kJsonl>,
                                 TryLine<cli::Format::kTsv>,
                                 TryJson,
                                 TryManifest,
                                 TryKeyring,
                                 TrySettings,
                                 TrySmall};
  Input in(data, size);
  kTries[in.Byte() % kTries.size()](in);
  return 0;
}
