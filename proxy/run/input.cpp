#include "proxy/run/input.h"

#include "proxy/log/log.h"

namespace ipvsproxy::run {
namespace {

void say(const files::Message& message) {
    switch (message.severity) {
    case files::Severity::note:
        log::info(message.text);
        break;
    case files::Severity::warning:
        log::warning(message.text);
        break;
    case files::Severity::error:
        log::error(message.text);
        break;
    }
}

} // namespace

Input::Input(files::Where where) : source{std::move(where), store, say} {
    source.read_all();
}

} // namespace ipvsproxy::run
