// gossip/wire_format.h: Protobuf's wire format, read in place and written without an allocation.
//
// The generated classes cost a heap allocation for every string over 15 bytes and several times
// the handling of a packet; a node handles thousands of packets a second. The format stays
// gossip.proto: tests/gossip/codec_test.cc holds both to each other.
//
// Thread:    values, confined to their owner.
// Ownership: a Reader and what it returns point into the bytes read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"

namespace starling::gossip::wire_format {

enum class Type : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  // Fields of value zero are left out, as proto3 does.
  void Varint(std::uint32_t field, std::uint64_t value) {
    if (value == 0) return;
    Tag(field, Type::kVarint);
    Raw(value);
  }
  void Fixed64(std::uint32_t field, std::uint64_t value) {
    if (value == 0) return;
    Tag(field, Type::kFixed64);
    base::AppendLittle(out_, value);
  }
  void Fixed32(std::uint32_t field, std::uint32_t value) {
    if (value == 0) return;
    Tag(field, Type::kFixed32);
    base::AppendLittle(out_, value);
  }
  void Bytes(std::uint32_t field, base::Bytes bytes) {
    if (!bytes.empty()) Present(field, bytes);
  }
  void Present(std::uint32_t field, base::Bytes bytes) {  // `optional`: even if empty.
    Tag(field, Type::kBytes);
    Raw(bytes.size());
    out_.append(bytes);
  }
  void PackedFixed64(std::uint32_t field, std::span<const std::uint64_t> values) {  // `repeated`.
    if (values.empty()) return;
    Tag(field, Type::kBytes);
    Raw(values.size_bytes());
    for (const std::uint64_t value : values) base::AppendLittle(out_, value);
  }
  // A message, whose fields `write()` writes.
  template <typename Write>
  void Message(std::uint32_t field, Write write) {
    Tag(field, Type::kBytes);
    const std::size_t length_at = out_.size();
    out_.push_back('\0');
    write();
    std::size_t length = out_.size() - length_at - 1;
    std::size_t at = length_at;
    for (; length >= 0x80; length >>= 7) {  // Rare: more than the one byte that is there.
      out_[at] = static_cast<char>(length | 0x80);
      out_.insert(++at, 1, '\0');
    }
    out_[at] = static_cast<char>(length);
  }

 private:
  void Tag(std::uint32_t field, Type type) {
    Raw(std::uint64_t{field} << 3 | static_cast<std::uint64_t>(type));
  }
  void Raw(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }

  std::string& out_;
};

// A field and its type in one number, as it stands before each.
constexpr std::uint32_t TagOf(std::uint32_t field, Type type) {
  return field << 3 | static_cast<std::uint32_t>(type);
}

struct Field {
  std::uint32_t number = 0;
  Type type = Type::kVarint;
  std::uint32_t tag = 0;    // TagOf(number, type).
  std::uint64_t value = 0;  // Of any type but kBytes.
  base::Bytes bytes{};
};

class Reader {
 public:
  explicit Reader(base::Bytes bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  // False at the end, and at what is no Protobuf: then ok() is false. Inline, and with a short way
  // for numbers of one byte: a packet has a hundred fields, most of them such.
  [[gnu::always_inline]] bool Next(Field& field) {
    if (at_ == end_ || !ok_) return false;
    std::uint64_t tag = 0;
    if (!Varint(tag) || tag >> 3 == 0 || tag >> 32 != 0) return Fail();
    field.tag = static_cast<std::uint32_t>(tag);
    field.number = field.tag >> 3;
    field.type = static_cast<Type>(tag & 7);
    switch (field.type) {
      case Type::kVarint: return Varint(field.value) || Fail();
      case Type::kFixed64: return Fixed<std::uint64_t>(field.value) || Fail();
      case Type::kFixed32: return Fixed<std::uint32_t>(field.value) || Fail();
      case Type::kBytes: break;
      default: return Fail();  // Groups, which proto3 does not have.
    }
    std::uint64_t length = 0;
    if (!Varint(length) || length > left()) return Fail();
    field.bytes = {at_, static_cast<std::size_t>(length)};
    at_ += length;
    return true;
  }

  bool ok() const { return ok_; }

 private:
  static constexpr unsigned kVarintBits = 64;

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  bool Fail() {
    ok_ = false;
    return false;
  }

  [[gnu::always_inline]] bool Varint(std::uint64_t& value) {
    if (at_ == end_ || static_cast<unsigned char>(*at_) >= 0x80) return LongVarint(value);
    value = static_cast<unsigned char>(*at_++);
    return true;
  }
  [[gnu::noinline]] bool LongVarint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < kVarintBits && at_ != end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  template <typename T>
  bool Fixed(std::uint64_t& value) {
    if (left() < sizeof(T)) return false;
    value = base::LoadLittle<T>(at_);
    at_ += sizeof(T);
    return true;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

// Reads what a Writer wrote, field by field in the same order: each call takes its field if that
// comes next. Numbers of fields are below 16, so that each tag is one byte.
class InOrder {
 public:
  explicit InOrder(base::Bytes bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  void Varint(std::uint32_t field, std::uint64_t& value) {
    if (Comes(field, Type::kVarint)) static_cast<void>(Number(value));
  }
  void Fixed32(std::uint32_t field, std::uint64_t& value) {
    if (!Comes(field, Type::kFixed32)) return;
    if (left() < sizeof(std::uint32_t)) return Fail();
    value = base::LoadLittle<std::uint32_t>(at_);
    at_ += sizeof(std::uint32_t);
  }
  void Bytes(std::uint32_t field, base::Bytes& bytes) {
    if (!Comes(field, Type::kBytes)) return;
    std::uint64_t length = 0;
    if (!Number(length)) return;
    if (length > left()) return Fail();
    bytes = {at_, static_cast<std::size_t>(length)};
    at_ += length;
  }

  // Whether that was all. Else something is written otherwise, or is no Protobuf.
  bool done() const { return at_ == end_; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  bool Comes(std::uint32_t field, Type type) {
    if (at_ == end_ || static_cast<unsigned char>(*at_) != TagOf(field, type)) return false;
    ++at_;
    return true;
  }
  // The end is not reached any more: nothing else is taken, and done() stays false.
  void Fail() {
    at_ = kNothing;
    end_ = kNothing + sizeof kNothing;
  }

  bool Number(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return true;
    }
    Fail();
    return false;
  }

  static constexpr char kNothing[1] = {'\0'};  // Begins no field.
  const char* at_;
  const char* end_;
};

}  // namespace starling::gossip::wire_format
