// tools/starling/client_putter.h: puts of import and restore, by a client.
//
// Thread:    Put from one; calls back on the client's own.
// Ownership: the client must outlive it, and the request's keyspace too.
#pragma once

#include <functional>
#include <utility>

#include "client/client.h"
#include "tools/starling/transfer.h"

namespace starling::cli {

class ClientPutter final : public Putter {
 public:
  ClientPutter(client::Client& client, client::RequestOptions request)
      : client_(client), request_(request) {
    request_.timeout = kPutTimeout;
  }
  void Put(const Record& record, std::function<void(const base::Status&)> done) override {
    client::RequestOptions request = request_;
    request.time_to_live = base::milliseconds(static_cast<std::int64_t>(record.ttl_ms));
    client_.PutAsync(record.key, record.value, request,
                     [done = std::move(done)](const base::Result<client::Written>& written) {
                       done(written ? base::Ok() : written.error());
                     });
  }

 private:
  // A put may wait behind hundreds of others.
  static constexpr base::Duration kPutTimeout = base::seconds(10);

  client::Client& client_;
  client::RequestOptions request_;
};

}  // namespace starling::cli
