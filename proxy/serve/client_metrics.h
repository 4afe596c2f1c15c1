// rest_client_*: the requests to the API server, under client-go's names.
#pragma once

#include "proxy/api/client.h"
#include "proxy/serve/exposition.h"

namespace ipvsproxy::serve {

/// Empty until the first request. Used on the client's thread.
class ClientMetrics final : public api::ClientObserver {
public:
    explicit ClientMetrics(prometheus::Registry& registry);

    void rate_limited(std::string_view method, std::string_view host,
                      std::chrono::nanoseconds waited) override;
    void exchanged(const api::Exchange& exchange) override;
    void read_whole(std::string_view method, std::string_view host, std::size_t bytes) override;
    void retried(std::string_view method, std::string_view host, unsigned status) override;
    void plugin_called(int exit_code, std::string_view call_status) override;

private:
    prometheus::Family<prometheus::Counter>&requests_, &retries_, &plugin_calls_;
    prometheus::Family<prometheus::Histogram>&duration_, &limiter_, &request_size_, &response_size_;
};

} // namespace ipvsproxy::serve
