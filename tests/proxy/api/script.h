// An API server that answers from a script: the twin of the client, in memory.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <deque>
#include <map>
#include <vector>

#include "proxy/api/client.h"

namespace ipvsproxy::api {

/// What comes after the pieces of an answer.
enum class Then : std::uint8_t {
    end,
    cut,
    stall, ///< nothing, until the request's limit
    hold   ///< nothing, until push() or finish()
};

/// One answer. Pieces are what more() gives, one after the other.
struct Line {
    unsigned status{200};
    std::vector<std::string> pieces{};
    Then then{Then::end};
    std::map<std::string, std::string> headers{};
    boost::system::error_code refuses{}; ///< no answer at all
};

/// Of an answer that is held: what the test still wants to send.
struct Channel {
    explicit Channel(const boost::asio::any_io_executor& executor, Line line);
    std::deque<std::string> pieces;
    Then then;
    std::chrono::nanoseconds idle_limit{};
    boost::asio::steady_timer bell;
};

/// Answers each request with the next line for its path; where there is none (left), never.
class Script final : public Client {
public:
    explicit Script(boost::asio::any_io_executor executor) : executor_{std::move(executor)} {}

    void add(const std::string& path, Line line) { lines_[path].push_back(std::move(line)); }
    /// To the answer of this path that is held.
    void push(const std::string& path, std::string piece);
    void finish(const std::string& path, Then then);
    /// The targets asked for, of one path; without the path.
    std::vector<std::string> asked(const std::string& path) const;
    const Request& last(const std::string& path) const { return requests_.at(path).back(); }
    /// Of the answer of this path that is read now.
    std::chrono::nanoseconds idle_limit(const std::string& path) const {
        return held_.at(path)->idle_limit;
    }

    boost::asio::awaitable<std::unique_ptr<Answer>> send(Request request) override;

private:
    boost::asio::any_io_executor executor_;
    std::map<std::string, std::deque<Line>> lines_;
    std::map<std::string, std::vector<Request>> requests_;
    std::map<std::string, std::shared_ptr<Channel>> held_;
};

/// @name The paths that a Source asks.
///@{
inline const std::string services = "/api/v1/services",
                         slices = "/apis/discovery.k8s.io/v1/endpointslices",
                         nodes = "/api/v1/nodes", cidrs = "/apis/networking.k8s.io/v1/servicecidrs";
///@}

} // namespace ipvsproxy::api
