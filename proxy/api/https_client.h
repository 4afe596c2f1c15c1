// The client of an API server over HTTP/1.1, TLS or plain.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "proxy/api/access.h"
#include "proxy/api/client.h"
#include "proxy/api/clock.h"
#include "proxy/https/dial.h"

namespace ipvsproxy::api {

struct HttpsClientSettings {
    double qps{5};              ///< clientConnection.qps; negative: no limit
    int burst{10};              ///< clientConnection.burst
    std::string user_agent{};   ///< user_agent() makes one
    ClientObserver* observer{}; ///< null, or there for as long as the executor runs
    Clock* clock{};             ///< null: the real one; else outlives the client
    https::DialPace dial{};
    std::size_t idle_connections{4};                              ///< kept for the requests to come
    std::chrono::nanoseconds idle_time{std::chrono::seconds{90}}; ///< for so long, as Go does
};

/// `ipvsproxy/0.1.0 (linux/amd64) kube-proxy/v1.36.2`: what the API server's audit shows.
/// @param version of this program. @param reference the release of kube-proxy it stands for.
std::string user_agent(const std::string& version, const std::string& reference);

/// A client whose connections are all closed with it and its answers. Each watch has a connection
/// of its own while it goes on; others take turns on kept ones.
std::unique_ptr<Client> make_https_client(const boost::asio::any_io_executor& executor,
                                          Access access, HttpsClientSettings settings);

} // namespace ipvsproxy::api
