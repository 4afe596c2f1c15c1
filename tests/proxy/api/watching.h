// A Source over a script, and what it has told.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "proxy/api/source.h"
#include "tests/proxy/api/script.h"

namespace ipvsproxy::api {

/// @name Answers as text.
///@{
inline std::string service_item(const std::string& name, const std::string& ip = "10.96.0.1",
                                const std::string& more = {}) {
    return R"({"kind":"Service","apiVersion":"v1","metadata":{"name":")" + name +
           R"(","namespace":"ns","resourceVersion":"1"},"spec":{"clusterIP":")" + ip + "\"" + more +
           "}}";
}
inline std::string slice_item(const std::string& name, const std::string& service) {
    return R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":")" +
           name + R"(","namespace":"ns","resourceVersion":"1","labels":)" +
           R"({"kubernetes.io/service-name":")" + service + R"("}},"addressType":"IPv4"})";
}
/// With the event's resourceVersion in place of the item's.
inline std::string event(const std::string& type, std::string item, int version) {
    const std::string mark = R"("resourceVersion":"1")";
    item.replace(item.find(mark), mark.size(),
                 R"("resourceVersion":")" + std::to_string(version) + '"');
    return R"({"type":")" + type + R"(","object":)" + item + "}\n";
}
inline std::string bookmark(int version, bool initial_end = false) {
    return R"({"type":"BOOKMARK","object":{"kind":"Service","apiVersion":"v1","metadata":{)"
           R"("resourceVersion":")" +
           std::to_string(version) + '"' +
           (initial_end ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "") + "}}}\n";
}
inline std::string list_of(const std::string& items, int version, const std::string& token = {}) {
    return R"({"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":")" +
           std::to_string(version) + R"(","continue":")" + token + R"("},"items":[)" + items + "]}";
}
inline std::string status(int code, const std::string& reason, const std::string& message) {
    return R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":")" +
           message + R"(","reason":")" + reason + R"(","code":)" + std::to_string(code) + "}";
}
///@}

/// Pauses are short; what is waited for comes within ten seconds or fails the test.
struct Watching : SourceListener {
    /// @param accept the header of that name
    explicit Watching(std::string accept = "application/json")
        : source{store, "node-1", quick(), [] { return 0.0; }, *this, std::move(accept)} {}

    void changed() override { ++rings; }
    void complete() override { ++completions; }
    void listed(const Resource& resource) override { lists.push_back(resource.name); }
    void odd(const Oddity& oddity) override { odds.push_back(oddity.text); }
    void troubled(const Trouble& trouble) override { troubles.push_back(trouble.text()); }
    void recovered(const Trouble& trouble) override { over.push_back(trouble.text()); }

    void start() {
        boost::asio::co_spawn(io, source.follow(script), boost::asio::detached);
        settle();
    }
    /// Runs what can run now.
    void settle() {
        io.restart();
        io.poll();
    }
    template <class Condition> void until(Condition condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!condition() && std::chrono::steady_clock::now() < end) {
            io.restart();
            io.run_one_for(std::chrono::milliseconds{20});
        }
        REQUIRE(condition());
    }
    std::vector<std::string> service_names() const {
        std::vector<std::string> names;
        for (const auto& [name, service] : store.services())
            names.push_back(name.name.text());
        return names;
    }
    /// The streamed lists of services and slices come, and their watches are held.
    void listed_with(const std::string& service_items, const std::string& slice_items = {}) {
        script.add(services, {.pieces = {service_items + bookmark(10, true)}, .then = Then::hold});
        script.add(slices, {.pieces = {slice_items + bookmark(10, true)}, .then = Then::hold});
        start();
        REQUIRE(completions == 1);
        rings = 0;
    }

    boost::asio::io_context io{1};
    Script script{io.get_executor()};
    model::Store store;
    int rings{}, completions{};
    std::vector<std::string> lists, odds, troubles, over;
    Source source;

private:
    static Pace quick() {
        Pace pace;
        pace.first_pause = pace.longest_pause = std::chrono::milliseconds{1};
        pace.short_watch = {};
        return pace;
    }
};

} // namespace ipvsproxy::api
