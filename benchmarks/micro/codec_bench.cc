// benchmarks/micro/codec_bench.cc: what a frame of the native protocol costs to make and to take.
#include <benchmark/benchmark.h>

#include "base/hash.h"
#include "server/wire/frame.h"

namespace starling::wire {
namespace {

constexpr std::size_t kCodedBytes = 1024;

PutRequest BenchPut(base::Bytes value) {
  return {.keyspace = 1, .key = "user0000000123", .value_digest = base::Hash64(value), .stamp = {}};
}

// The client's side: digest, header, checksum, and the copy into the out-buffer.
void EncodePut(benchmark::State& state) {
  const std::string value(kCodedBytes, 'v');
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendFrame(out, 7, BenchPut(value), value);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(EncodePut);

// The node's side: lengths, checksum, header, and the value's digest.
void DecodePut(benchmark::State& state) {
  const std::string value(kCodedBytes, 'v');
  std::string in;
  AppendFrame(in, 7, BenchPut(value), value);
  for (auto _ : state) {
    Frame frame;
    const auto size = CutFrame(in, &frame);
    const auto put = Decode<PutRequest>(frame.header);
    const bool sound = put->value_digest == base::Hash64(frame.payload);
    benchmark::DoNotOptimize(sound);
    benchmark::DoNotOptimize(size);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(DecodePut);

void EncodeAndDecodePutReply(benchmark::State& state) {
  const PutReply reply{.version = {1, 2, 3}, .replicas = {1, 2}};
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    AppendFrame(bytes, 7, reply);
    Frame frame;
    const auto size = CutFrame(bytes, &frame);
    const auto decoded = Decode<PutReply>(frame.header);
    benchmark::DoNotOptimize(decoded->version);
    benchmark::DoNotOptimize(size);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(EncodeAndDecodePutReply);

}  // namespace
}  // namespace starling::wire
