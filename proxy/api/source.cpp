#include "proxy/api/source.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>
#include <stdexcept>

#include "proxy/api/media_type.h"

namespace ipvsproxy::api {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator&&;

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned http_ok = 200;

Replica::Kind kind_of(const Resource& resource) {
    if (resource.name == "services") return Replica::Kind::service;
    if (resource.name == "endpointslices") return Replica::Kind::slice;
    if (resource.name == "nodes") return Replica::Kind::node;
    return Replica::Kind::none;
}

/// Retry-After in seconds; kube-apiserver sends no dates.
std::chrono::seconds retry_after(const Answer& answer) {
    const auto text = answer.header("Retry-After").value_or("");
    std::uint16_t seconds = 0; // what does not fit is not believed
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::chrono::seconds{seconds};
}

std::string content_type(const Answer& answer) {
    return answer.header("Content-Type").value_or(json_only);
}

Trouble ended_badly(const Resource& resource, End end) {
    switch (end) {
    case End::whole:
        return {resource.name, "the answer ended before it was complete",
                "look for proxies and load balancers that cut connections; it is asked again"};
    case End::cut:
        return {resource.name, "the connection was cut in the midst of an answer",
                "look for proxies and load balancers that cut connections; it is asked again"};
    case End::silent:
        return {resource.name, "the answer stalled",
                "look at the network and at the API server's load; it is asked again"};
    case End::broken:
        break;
    }
    return {resource.name, "the answer is not the API's JSON or protobuf",
            "check the server's URL: is this an API server?"};
}

} // namespace

std::vector<Resource> resources_of(const std::string& node_name) {
    return {
        {"services", "/api/v1/services",
         "labelSelector=%21service.kubernetes.io%2Fservice-proxy-name"
         "&fieldSelector=spec.clusterIP%21%3DNone"},
        {"endpointslices", "/apis/discovery.k8s.io/v1/endpointslices",
         "labelSelector=%21service.kubernetes.io%2Fheadless"},
        {"nodes", "/api/v1/nodes", "fieldSelector=metadata.name%3D" + url_escaped(node_name)},
        {"servicecidrs", "/apis/networking.k8s.io/v1/servicecidrs", {}, false},
    };
}

Source::Source(model::Store& store, const std::string& node_name, Pace pace,
               const std::function<double()>& chance, SourceListener& listener, std::string accept)
    : listener_{listener}, accept_{std::move(accept)} {
    for (const auto& resource : resources_of(node_name))
        collections_.push_back(std::make_unique<Collection>(
            Collection{Reflector{resource, pace, chance},
                       Replica{store, kind_of(resource),
                               [this](const Oddity& oddity) { listener_.odd(oddity); }}}));
}

Source::Collection& Source::collection(const std::string& name) {
    return **std::ranges::find_if(
        collections_, [&](const auto& one) { return one->reflector.resource().name == name; });
}

bool Source::node_listed() const noexcept {
    return std::ranges::any_of(collections_, [](const auto& one) {
        return one->reflector.resource().name == "nodes" && one->reflector.complete();
    });
}

std::uint64_t Source::lists() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& one : collections_)
        sum += one->reflector.lists();
    return sum;
}

std::size_t Source::refused() const noexcept {
    std::size_t sum = 0;
    for (const auto& one : collections_)
        sum += one->replica.refused();
    return sum;
}

asio::awaitable<void> Source::follow(Client& client) {
    auto all = follow(client, collection("services")) &&
               follow(client, collection("endpointslices")) &&
               follow(client, collection("nodes")) && follow(client, collection("servicecidrs"));
    co_await std::move(all);
}

asio::awaitable<void> Source::follow_node(Client& client) {
    co_await follow(client, collection("nodes"));
}

asio::awaitable<void> Source::list(Client& client) {
    for (const auto* name : {"nodes", "services", "endpointslices"}) {
        auto& one = collection(name);
        const auto before = one.reflector.lists();
        while (one.reflector.lists() == before)
            if (const auto trouble = co_await ask(client, one, Until::listed))
                throw std::runtime_error{trouble->text()};
    }
}

asio::awaitable<void> Source::follow(Client& client, Collection& one) {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        if (one.reflector.due() > Clock::now()) {
            timer.expires_at(one.reflector.due());
            co_await timer.async_wait(asio::use_awaitable);
        }
        const auto trouble = co_await ask(client, one, Until::ended);
        report(one, trouble);
    }
}

asio::awaitable<std::optional<Trouble>> Source::ask(Client& client, Collection& one, Until until) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    const auto ask = one.reflector.next(Clock::now());
    if (ask.begins_list) one.replica.begin_list();
    Request request;
    request.target = ask.target;
    // Should a server's protobuf ever be another than is known here, its JSON will do.
    constexpr unsigned too_often = 2;
    request.accept = one.broken_protobuf < too_often ? accept_ : json_only;
    request.idle_limit = ask.silence;
    std::unique_ptr<Answer> answer;
    std::optional<Trouble> trouble;
    try {
        answer = co_await client.send(std::move(request));
    } catch (const std::exception& error) {
        if (cancellation.cancelled() != asio::cancellation_type::none) throw;
        trouble = trouble_of(error);
    }
    if (trouble) {
        one.reflector.unreachable(Clock::now());
        co_return trouble;
    }
    answered_ = true;
    if (answer->status() != http_ok) co_return co_await read_refusal(one, *answer);
    if (ask.kind == Ask::Kind::watch || ask.kind == Ask::Kind::probe) well(one);
    co_return co_await read(one, *answer, until);
}

asio::awaitable<std::optional<Trouble>> Source::read_refusal(Collection& one, Answer& answer) {
    Status status;
    const auto decoder = decoder_for(content_type(answer), [&](Decoded&& decoded) {
        if (decoded.object.has_error()) return;
        if (auto* said = std::get_if<Status>(&*decoded.object)) status = std::move(*said);
    });
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    try {
        std::string_view piece;
        do {
            piece = co_await answer.more();
        } while (!piece.empty() && !decoder->feed(piece));
    } catch (const std::exception&) { // the status line says enough
        if (cancellation.cancelled() != asio::cancellation_type::none) throw;
    }
    const auto code = static_cast<int>(answer.status());
    status.code = code;
    const bool trouble = one.reflector.refused(status, retry_after(answer), Clock::now());
    if (!trouble) co_return std::nullopt;
    co_return trouble_of(one.reflector.resource(), code, status);
}

asio::awaitable<std::optional<Trouble>> Source::read(Collection& one, Answer& answer, Until until) {
    Reading reading{one, answer};
    const auto type = content_type(answer);
    const auto decoder =
        decoder_for(type, [&](Decoded&& decoded) { take(reading, std::move(decoded)); });
    std::optional<End> end;
    while (!end && !reading.stopped) {
        end = co_await feed(*decoder, answer);
        tell(reading);
        if (reading.listed && until == Until::listed) co_return std::nullopt;
    }
    if (reading.stopped) co_return std::nullopt;
    if (is_protobuf(type)) one.broken_protobuf = end == End::broken ? one.broken_protobuf + 1 : 0;
    auto trouble = ended(reading, *end, decoder->list_end());
    tell(reading);
    co_return trouble;
}

/// What comes next. @return how the body has ended, if it has.
asio::awaitable<std::optional<End>> Source::feed(Decoder& decoder, Answer& answer) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    std::string_view piece;
    try {
        piece = co_await answer.more();
    } catch (const boost::system::system_error& error) {
        if (cancellation.cancelled() != asio::cancellation_type::none) throw;
        co_return error.code() == boost::system::errc::timed_out ? End::silent : End::cut;
    }
    if (piece.empty()) co_return decoder.finish() ? End::cut : End::whole;
    if (decoder.feed(piece)) co_return End::broken;
    co_return std::nullopt;
}

std::optional<Trouble> Source::ended(Reading& reading, End end,
                                     const std::optional<ListEnd>& list_end) {
    auto& reflector = reading.collection.reflector;
    const auto now = Clock::now();
    if (reflector.ended(end, list_end, now) == Meaning::complete) complete(reading);
    if (reflector.due() <= now) return std::nullopt;
    return ended_badly(reflector.resource(), end);
}

void Source::take(Reading& reading, Decoded&& decoded) {
    if (reading.stopped) return;
    auto& reflector = reading.collection.reflector;
    auto& replica = reading.collection.replica;
    switch (reflector.take(decoded, Clock::now())) {
    case Meaning::put:
        reading.changed = replica.put(std::move(decoded)) || reading.changed;
        break;
    case Meaning::remove:
        reading.changed = replica.remove(decoded) || reading.changed;
        break;
    case Meaning::complete:
        complete(reading);
        break;
    case Meaning::nothing:
        break;
    case Meaning::stop:
        reading.stopped = true;
        break;
    }
}

void Source::complete(Reading& reading) {
    auto& reflector = reading.collection.reflector;
    auto& replica = reading.collection.replica;
    reading.changed = replica.complete() || reading.changed;
    reading.listed = true;
    reading.answer.limit_idle(reflector.silence()); // a stream goes on as the watch
    well(reading.collection);
    listener_.listed(reflector.resource());
}

void Source::tell(Reading& reading) {
    if (std::exchange(reading.changed, false)) listener_.changed();
    if (complete_) return;
    complete_ = collection("services").reflector.complete() &&
                collection("endpointslices").reflector.complete();
    if (complete_) listener_.complete();
}

void Source::report(const Collection& one, const std::optional<Trouble>& trouble) {
    // What is not needed may be missing.
    if (trouble && one.reflector.resource().needed &&
        troubles_.report(one.reflector.resource().name, *trouble, Clock::now()))
        listener_.troubled(*trouble);
}

void Source::well(const Collection& one) {
    for (const auto& trouble : troubles_.well(one.reflector.resource().name))
        listener_.recovered(trouble);
}

} // namespace ipvsproxy::api
