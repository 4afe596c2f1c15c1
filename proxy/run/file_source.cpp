#include "proxy/run/file_source.h"

#include "proxy/log/log.h"
#include "proxy/run/follow.h"

namespace ipvsproxy::run {

namespace asio = boost::asio;

FileSource::FileSource(const files::Where& where) : watch_{where}, input_{where} {}

asio::awaitable<void> FileSource::find_node() {
    co_return; // it was read with all else
}

asio::awaitable<void> FileSource::follow(Listener& listener) {
    tell_when_read(listener);
    const std::function<void(const files::Changed&)> tell =
        [this, &listener](const files::Changed& changed) { refresh(listener, changed); };
    co_await run::follow(watch_, tell);
}

void FileSource::read_again(Listener& listener) {
    input_.source.read_all();
    tell_when_read(listener);
    if (was_read_) listener.changed();
}

/// A burst of events is one change.
void FileSource::refresh(Listener& listener, const files::Changed& changed) {
    input_.source.refresh(changed);
    tell_when_read(listener);
    if (was_read_) listener.changed();
}

/// What a file asks for is not known before it can be read; until then the node stays as it is.
void FileSource::tell_when_read(Listener& listener) {
    const auto unread = was_read_ ? 0 : input_.source.unread();
    was_read_ = unread == 0;
    if (was_read_) listener.complete();
    else log::error("Nothing is written until every input has been read", {{"unread", unread}});
}

} // namespace ipvsproxy::run
