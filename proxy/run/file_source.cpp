#include "proxy/run/file_source.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include "proxy/log/log.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;

namespace {

/// How often to look where not everything can be watched.
constexpr std::chrono::seconds look_period{30};

} // namespace

FileSource::FileSource(const files::Where& where) : watch_{where}, input_{where} {}

asio::awaitable<void> FileSource::find_node() {
    co_return; // it was read with all else
}

asio::awaitable<void> FileSource::follow(Listener& listener) {
    using namespace asio::experimental::awaitable_operators;
    tell_when_read(listener);
    auto both = watch(listener) && look_from_time_to_time(listener);
    co_await std::move(both);
}

void FileSource::read_again(Listener& listener) {
    refresh(listener, {.everything = true});
}

asio::awaitable<void> FileSource::watch(Listener& listener) {
    const auto executor = co_await asio::this_coro::executor;
    // A descriptor of its own: the watch stays its owner's, however this coroutine ends.
    asio::posix::stream_descriptor descriptor{executor, ::dup(watch_.fd())};
    asio::steady_timer timer{executor};
    for (;;) {
        co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::use_awaitable);
        timer.expires_after(files::settle);
        co_await timer.async_wait(asio::use_awaitable);
        const auto changed = watch_.read();
        if (changed.any()) refresh(listener, changed);
    }
}

/// Where not everything can be watched, looking from time to time has to do.
asio::awaitable<void> FileSource::look_from_time_to_time(Listener& listener) {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        timer.expires_after(look_period);
        co_await timer.async_wait(asio::use_awaitable);
        if (!watch_.complete()) refresh(listener, {.everything = true});
    }
}

/// A burst of events is one change.
void FileSource::refresh(Listener& listener, const files::Changed& changed) {
    input_.source.refresh(changed);
    tell_when_read(listener);
    listener.changed();
}

/// What a file asks for is not known before it can be read; until then the node stays as it is.
void FileSource::tell_when_read(Listener& listener) {
    const auto unread = was_read_ ? 0 : input_.source.unread();
    was_read_ = unread == 0;
    if (was_read_) listener.complete();
    else log::error("Nothing is written until every input has been read", {{"unread", unread}});
}

} // namespace ipvsproxy::run
