#include "server/topology/ring.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "base/check.h"

namespace starling::topology {
namespace {

struct Vnode {
  std::uint16_t token;
  std::uint16_t node;
};

// How a walk clockwise fills one datacenter: distinct racks first, and once every rack has a
// replica, the nodes that were passed over, in the order in which they were met.
struct DatacenterFill {
  std::size_t wanted = 0;
  std::size_t racks = 0;
  std::size_t taken = 0;
  std::set<std::string_view> racks_used;
  std::vector<std::uint16_t> passed_over;

  void Offer(std::uint16_t node, std::string_view rack, std::vector<std::uint16_t>& replicas) {
    if (taken == wanted) return;
    if (racks_used.size() < racks && racks_used.contains(rack)) {
      passed_over.push_back(node);
      return;
    }
    Take(node, replicas);
    racks_used.insert(rack);
    if (racks_used.size() < racks) return;
    for (const std::uint16_t later : passed_over)
      if (taken < wanted) Take(later, replicas);
    passed_over.clear();
  }

  void Take(std::uint16_t node, std::vector<std::uint16_t>& replicas) {
    replicas.push_back(node);
    ++taken;
  }
};

}  // namespace

class Ring::Builder {
 public:
  explicit Builder(const Topology& topology) : topology_(topology) {
    CHECK(topology.nodes.size() <= kNodesMax);
    for (std::size_t i = 0; i < topology.nodes.size(); ++i) {
      const Node& node = topology.nodes[i];
      if (!node.member()) continue;
      racks_of_dc_[node.dc].insert(node.rack);
      ++members_of_dc_[node.dc];
      for (const std::uint16_t token : node.tokens)
        vnodes_.push_back({token, static_cast<std::uint16_t>(i)});
    }
    std::sort(vnodes_.begin(), vnodes_.end(),
              [](const Vnode& a, const Vnode& b) { return a.token < b.token; });
  }

  std::shared_ptr<const Table> Build(const Replication& replication) const {
    auto table = std::make_shared<Table>();
    table->owned_buckets.resize(topology_.nodes.size());
    table->run_of_bucket.reserve(base::kBuckets);
    table->run_start.push_back(0);
    if (replication.everywhere()) {
      FillEverywhere(*table);
      return table;
    }
    if (vnodes_.empty()) {
      AppendRun(*table, base::kBuckets, {});
      return table;
    }
    // The last vnode reaches over the end of the space to the first token.
    const std::vector<std::uint16_t> around = Walk(replication, vnodes_.size() - 1);
    AppendRun(*table, vnodes_.front().token, around);
    for (std::size_t i = 0; i + 1 < vnodes_.size(); ++i)
      AppendRun(*table, vnodes_[i + 1].token, Walk(replication, i));
    AppendRun(*table, base::kBuckets, around);
    CHECK(table->run_of_bucket.size() == base::kBuckets);
    return table;
  }

 private:
  // Orders of preference in a keyspace that is everywhere: enough to spread clients, and no more,
  // since each names all nodes.
  static constexpr std::size_t kTurnsMax = 64;

  void FillEverywhere(Table& table) const {
    table.everywhere = true;
    std::vector<std::uint16_t> members;
    for (std::size_t i = 0; i < topology_.nodes.size(); ++i)
      if (topology_.nodes[i].member()) members.push_back(static_cast<std::uint16_t>(i));
    const std::size_t turns = std::clamp<std::size_t>(members.size(), 1, kTurnsMax);
    for (std::size_t turn = 0; turn < turns; ++turn) {
      std::vector<std::uint16_t> order = members;
      std::rotate(order.begin(),
                  order.begin() + static_cast<std::ptrdiff_t>(turn * members.size() / turns),
                  order.end());
      AppendRun(table, static_cast<std::uint32_t>((turn + 1) * base::kBuckets / turns),
                std::move(order));
    }
  }

  std::vector<std::uint16_t> Walk(const Replication& replication, std::size_t from) const {
    return replication.kind == Replication::Kind::kSimple
               ? WalkSimple(replication.factor, from)
               : WalkDatacenters(replication.per_dc, from);
  }

  std::vector<std::uint16_t> WalkSimple(std::size_t factor, std::size_t from) const {
    std::vector<std::uint16_t> replicas;
    for (std::size_t step = 0; step < vnodes_.size() && replicas.size() < factor; ++step) {
      const std::uint16_t node = vnodes_[(from + step) % vnodes_.size()].node;
      if (std::find(replicas.begin(), replicas.end(), node) == replicas.end())
        replicas.push_back(node);
    }
    return replicas;
  }

  std::vector<std::uint16_t> WalkDatacenters(const std::map<std::string, std::uint32_t>& per_dc,
                                             std::size_t from) const {
    std::map<std::string_view, DatacenterFill> fills;
    std::size_t wanted = 0;
    for (const auto& [dc, factor] : per_dc) {
      const auto members = members_of_dc_.find(dc);
      if (members == members_of_dc_.end()) continue;
      DatacenterFill& fill = fills[dc];
      fill.wanted = std::min<std::size_t>(factor, members->second);
      fill.racks = racks_of_dc_.at(dc).size();
      wanted += fill.wanted;
    }
    std::vector<std::uint16_t> replicas;
    std::vector<bool> met(topology_.nodes.size());
    for (std::size_t step = 0; step < vnodes_.size() && replicas.size() < wanted; ++step) {
      const std::uint16_t index = vnodes_[(from + step) % vnodes_.size()].node;
      if (met[index]) continue;
      met[index] = true;
      const Node& node = topology_.nodes[index];
      if (const auto fill = fills.find(node.dc); fill != fills.end())
        fill->second.Offer(index, node.rack, replicas);
    }
    CHECK(replicas.size() == wanted);
    return replicas;
  }

  // Adds the buckets from where the table ends up to `end`, which is not included.
  static void AppendRun(Table& table, std::uint32_t end, std::vector<std::uint16_t> replicas) {
    const auto begin = static_cast<std::uint32_t>(table.run_of_bucket.size());
    if (begin == end) return;
    const std::size_t runs = table.run_start.size() - 1;
    const auto last = runs == 0 ? table.run_replicas.end()
                                : table.run_replicas.begin() + table.run_start[runs - 1];
    const bool same =
        runs > 0 && std::equal(last, table.run_replicas.end(), replicas.begin(), replicas.end());
    if (!same) {
      table.run_replicas.insert(table.run_replicas.end(), replicas.begin(), replicas.end());
      table.run_start.push_back(static_cast<std::uint32_t>(table.run_replicas.size()));
      table.run_end.push_back(end);
    }
    table.run_end.back() = end;
    table.run_of_bucket.resize(end, static_cast<std::uint16_t>(table.run_start.size() - 2));
    for (const std::uint16_t node : replicas) table.owned_buckets[node] += end - begin;

    std::sort(replicas.begin(), replicas.end());
    const auto last_bucket = static_cast<std::uint16_t>(end - 1);
    if (!table.ranges.empty() && table.ranges.back().replicas == replicas) {
      table.ranges.back().last_bucket = last_bucket;
    } else {
      table.ranges.push_back({static_cast<std::uint16_t>(begin), last_bucket, std::move(replicas)});
    }
  }

  const Topology& topology_;
  std::vector<Vnode> vnodes_;  // By token.
  std::map<std::string_view, std::set<std::string_view>> racks_of_dc_;
  std::map<std::string_view, std::size_t> members_of_dc_;
};

std::shared_ptr<const Ring> Ring::Build(const Topology& topology) {
  const Builder builder(topology);
  auto ring = std::make_shared<Ring>();
  std::map<std::string, std::shared_ptr<const Table>> built;
  for (const Keyspace& keyspace : topology.keyspaces) {
    auto& table = built[keyspace.replication.ToString()];
    if (table == nullptr) table = builder.Build(keyspace.replication);
    ring->tables_.emplace_back(keyspace.id, table);
  }
  return ring;
}

const Ring::Table* Ring::Find(base::KeyspaceId keyspace) const {
  const auto at = std::lower_bound(
      tables_.begin(), tables_.end(), keyspace,
      [](const auto& entry, base::KeyspaceId wanted) { return entry.first < wanted; });
  return at == tables_.end() || at->first != keyspace ? nullptr : at->second.get();
}

std::span<const std::uint16_t> Ring::Replicas(base::KeyspaceId keyspace,
                                              std::uint16_t bucket) const {
  const Table* table = Find(keyspace);
  if (table == nullptr) return {};
  const std::size_t run = table->run_of_bucket[bucket];
  const std::uint16_t* replicas = table->run_replicas.data();
  return {replicas + table->run_start[run], replicas + table->run_start[run + 1]};
}

std::uint32_t Ring::RunEnd(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const Table* table = Find(keyspace);
  if (table == nullptr) return base::kBuckets;
  return table->run_end[table->run_of_bucket[bucket]];
}

bool Ring::everywhere(base::KeyspaceId keyspace) const {
  const Table* table = Find(keyspace);
  return table != nullptr && table->everywhere;
}

const std::vector<Range>& Ring::ranges(base::KeyspaceId keyspace) const {
  static const std::vector<Range> kNone;
  const Table* table = Find(keyspace);
  return table == nullptr ? kNone : table->ranges;
}

std::uint32_t Ring::OwnedBuckets(base::KeyspaceId keyspace, std::size_t node) const {
  const Table* table = Find(keyspace);
  return table == nullptr || node >= table->owned_buckets.size() ? 0 : table->owned_buckets[node];
}

double Ring::Owns(base::KeyspaceId keyspace, std::size_t node) const {
  return OwnedBuckets(keyspace, node) / static_cast<double>(base::kBuckets);
}

std::size_t Ring::memory_bytes() const {
  std::set<const Table*> counted;
  std::size_t bytes = 0;
  for (const auto& [id, table] : tables_) {
    if (!counted.insert(table.get()).second) continue;
    bytes += 2 * (table->run_of_bucket.capacity() + table->run_replicas.capacity());
    bytes += 4 * (table->run_start.capacity() + table->run_end.capacity() +
                  table->owned_buckets.capacity());
    for (const Range& range : table->ranges) bytes += sizeof(Range) + 2 * range.replicas.capacity();
  }
  return bytes;
}

}  // namespace starling::topology
