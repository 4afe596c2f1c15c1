#include "proxy/api/events.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <deque>

#include "tests/proxy/api/client_fixture.h"

using namespace ipvsproxy;
using namespace ipvsproxy::api;
using namespace ipvsproxy::api_test;

namespace {

class Empty : public Answer {
public:
    explicit Empty(unsigned status) : status_{status} {}
    unsigned status() const override { return status_; }
    std::optional<std::string> header(std::string_view) const override { return std::nullopt; }
    asio::awaitable<std::string_view> more() override { co_return std::string_view{}; }
    void limit_idle(std::chrono::nanoseconds) override {}

private:
    unsigned status_;
};

/// Answers with these statuses in turn, then 201; 0: cannot be reached.
class Statuses : public Client {
public:
    explicit Statuses(std::deque<unsigned> statuses) : statuses_{std::move(statuses)} {}
    asio::awaitable<std::unique_ptr<Answer>> send(Request request) override {
        methods += request.method + " ";
        unsigned status = 201;
        if (!statuses_.empty()) {
            status = statuses_.front();
            statuses_.pop_front();
        }
        if (status == 0) throw boost::system::system_error{asio::error::connection_refused};
        co_return std::make_unique<Empty>(status);
    }
    std::string methods{};

private:
    std::deque<unsigned> statuses_;
};

/// Records these events and lets them be written.
struct Recorder {
    explicit Recorder(std::deque<unsigned> statuses) : client{std::move(statuses)} {}
    void record(const std::string& reason) {
        events.record(
            {.reason = reason, .action = "Listen", .regarding = {.kind = "Node", .name = "n"}});
    }
    void run() {
        if (!running) asio::co_spawn(context, events.run(), [](const std::exception_ptr&) {});
        running = true;
        context.poll();
    }
    asio::io_context context{};
    FakeClock clock{};
    Statuses client;
    Events events{context.get_executor(), client, "n", clock, [] { return 0.5; }};
    bool running{};
};

} // namespace

TEST_CASE("Events are created, and patched when they come again", "[api][events]") {
    Recorder recorder{{}};
    recorder.record("A");
    recorder.run();
    CHECK(recorder.client.methods == "POST ");
    recorder.record("B");
    recorder.record("A");
    recorder.record("A");
    recorder.run();
    CHECK(recorder.client.methods == "POST POST PATCH ");
    CHECK(recorder.clock.pauses.empty());
}

TEST_CASE("A server that cannot be reached is tried again, twelve times in all", "[api][events]") {
    Recorder recorder{std::deque<unsigned>(100, 0)};
    recorder.record("A");
    recorder.run();
    CHECK(recorder.client.methods.size() == 12 * std::string{"POST "}.size());
    CHECK(recorder.clock.pauses ==
          std::vector<std::chrono::milliseconds>(11, std::chrono::milliseconds{11250}));
    CHECK(recorder.events.waiting() == 0);
}

TEST_CASE("What the server refuses is not tried again", "[api][events]") {
    for (const unsigned status : {400U, 403U, 404U, 409U, 422U, 500U}) {
        CAPTURE(status);
        Recorder recorder{{status}};
        recorder.record("A");
        recorder.run();
        CHECK(recorder.client.methods == "POST ");
    }
}

TEST_CASE("A series whose event has expired is created anew", "[api][events]") {
    Recorder recorder{{201, 404, 201}};
    recorder.record("A");
    recorder.record("A");
    recorder.run();
    CHECK(recorder.client.methods == "POST PATCH POST ");
}

TEST_CASE("A series whose event came between is patched after all", "[api][events]") {
    Recorder recorder{{201, 404, 409, 200}};
    recorder.record("A");
    recorder.record("A");
    recorder.run();
    CHECK(recorder.client.methods == "POST PATCH POST PATCH ");
}

TEST_CASE("All that was recorded can be waited for", "[api][events]") {
    Recorder recorder{{}};
    bool over = false;
    const auto wait = [&](std::chrono::nanoseconds limit) {
        over = false;
        asio::co_spawn(recorder.context, recorder.events.written(limit),
                       [&](const std::exception_ptr&) { over = true; });
    };
    wait(std::chrono::hours{1}); // there is nothing
    recorder.context.poll();
    CHECK(over);
    recorder.record("A");
    recorder.record("B");
    wait(std::chrono::hours{1});
    recorder.context.restart();
    recorder.context.poll();
    CHECK_FALSE(over);
    recorder.context.restart();
    recorder.run();
    CHECK(over);
    CHECK(recorder.client.methods == "POST POST ");
}

TEST_CASE("Events that cannot be written are not waited for beyond the limit", "[api][events]") {
    Recorder recorder{{}}; // which nobody runs
    recorder.record("A");
    bool over = false;
    asio::co_spawn(recorder.context, recorder.events.written(std::chrono::milliseconds{1}),
                   [&](const std::exception_ptr&) { over = true; });
    recorder.context.run_for(std::chrono::seconds{10});
    CHECK(over);
    CHECK(recorder.events.waiting() == 1);
}

TEST_CASE("The queue is bounded", "[api][events]") {
    Recorder recorder{{}};
    for (int i = 0; i < 1005; ++i)
        recorder.record(std::to_string(i));
    CHECK(recorder.events.waiting() == 1000);
    recorder.run();
    CHECK(recorder.events.waiting() == 0);
    recorder.record("more");
    recorder.run();
    CHECK(recorder.client.methods.size() == 1001 * std::string{"POST "}.size());
}
