// base/bytes.h: a view of bytes, and integers in and out of them.
//
// Bytes is a std::string_view: RocksDB, Protobuf and std::string meet there without a cast. It
// says nothing about text. Disk keys are big-endian, so that they sort; all else is little-endian.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace starling::base {

// A view; valid until the call that got it returns, unless the callee says otherwise.
using Bytes = std::string_view;

static_assert(std::endian::native == std::endian::little, "formats assume a little-endian host");

// Loads and stores read or write sizeof(T) bytes at `at`, which need not be aligned.
template <typename T>
T LoadLittle(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void StoreLittle(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

inline std::uint16_t ByteSwap(std::uint16_t v) { return __builtin_bswap16(v); }
inline std::uint32_t ByteSwap(std::uint32_t v) { return __builtin_bswap32(v); }
inline std::uint64_t ByteSwap(std::uint64_t v) { return __builtin_bswap64(v); }

template <typename T>
T LoadBig(const char* at) {
  return ByteSwap(LoadLittle<T>(at));
}

template <typename T>
void StoreBig(char* at, T value) {
  StoreLittle(at, ByteSwap(value));
}

template <typename T>
void AppendLittle(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
void AppendBig(std::string& out, T value) {
  AppendLittle(out, ByteSwap(value));
}

// "6b6579": two lower-case hex digits a byte.
std::string ToHex(Bytes bytes);

}  // namespace starling::base
