#include "proxy/api/replica.h"

#include <utility>

namespace ipvsproxy::api {
namespace {

std::string text_of(const Decoded& one) {
    std::string text = one.label() + ": ";
    if (one.object.has_error()) return text + one.object.error().text();
    for (const auto& warning : one.warnings)
        text += (&warning == one.warnings.data() ? "" : "; ") + warning.text();
    return text;
}

} // namespace

Replica::Replica(model::Store& store, Kind kind, std::function<void(const Oddity&)> say)
    : store_{store}, kind_{kind}, say_{std::move(say)} {}

void Replica::begin_list() {
    seen_.clear();
    listing_ = true;
    nameless_ = false;
}

bool Replica::put(Decoded&& one) {
    if (kind_ == Kind::none) return false;
    report(one);
    const auto& name = one.name;
    if (name.name.empty()) {
        nameless_ = true;
        return false;
    }
    if (one.object.has_error()) {
        if (listing_) seen_.insert(name);
        return false;
    }
    auto& object = *one.object;
    bool changed = false;
    if (auto* service = std::get_if<model::Service>(&object); service && kind_ == Kind::service)
        changed = store_.put(std::move(*service));
    else if (auto* slice = std::get_if<model::EndpointSlice>(&object);
             slice && kind_ == Kind::slice)
        changed = store_.put(std::move(*slice));
    else if (auto* node = std::get_if<model::Node>(&object); node && kind_ == Kind::node)
        changed = store_.put(std::move(*node));
    else return drop(name); // it says nothing to a proxy, or no longer
    if (listing_) seen_.insert(name);
    return changed;
}

bool Replica::remove(const Decoded& one) {
    forget_report(one.name);
    seen_.erase(one.name);
    return drop(one.name);
}

bool Replica::complete() {
    bool changed = false;
    if (!nameless_)
        for (const auto& name : unseen())
            changed = drop(name) || changed;
    std::erase_if(said_, [this](const auto& one) { return !seen_.contains(one.first); });
    std::erase_if(refused_, [this](const auto& name) { return !seen_.contains(name); });
    seen_.clear();
    listing_ = false;
    return changed;
}

bool Replica::drop(const model::ObjectName& name) {
    switch (kind_) {
    case Kind::service:
        return store_.remove_service(name);
    case Kind::slice:
        return store_.remove_slice(name);
    case Kind::node:
        return store_.remove_node(name.name.text());
    case Kind::none:
        break;
    }
    return false;
}

std::vector<model::ObjectName> Replica::unseen() const {
    // What was seen is held, or was refused: as many are the same.
    if (refused_.empty() && seen_.size() == held()) return {};
    std::vector<model::ObjectName> names;
    const auto& seen = seen_.map();
    auto at = seen.begin();
    const auto look = [&](const model::ObjectName& name) { // mostly in their order
        const bool passed = at == seen.end() || name < at->first;
        at = passed ? seen.lower_bound(name) : seen.lower_bound(at, name);
        if (at == seen.end() || name < at->first) names.push_back(name);
    };
    switch (kind_) {
    case Kind::service:
        for (const auto& [name, service] : store_.services())
            look(name);
        break;
    case Kind::slice:
        for (const auto& [service, slices] : store_.all_slices())
            for (const auto& [name, slice] : slices)
                look(slice.name);
        break;
    case Kind::node:
        for (const auto& [name, node] : store_.nodes())
            look({{}, name});
        break;
    case Kind::none:
        break;
    }
    return names;
}

std::size_t Replica::held() const {
    switch (kind_) {
    case Kind::service:
        return store_.services().size();
    case Kind::slice:
        return store_.slice_count();
    case Kind::node:
        return store_.nodes().size();
    case Kind::none:
        break;
    }
    return 0;
}

void Replica::report(const Decoded& one) {
    const bool refused = one.object.has_error();
    if (!refused && one.warnings.empty()) return forget_report(one.name);
    if (refused) refused_.insert(one.name);
    else refused_.erase(one.name);
    Oddity oddity{refused, text_of(one)};
    auto& said = said_[one.name];
    if (said == oddity) return;
    said = std::move(oddity);
    say_(said);
}

void Replica::forget_report(const model::ObjectName& name) {
    if (said_.empty() && refused_.empty()) return; // nearly always
    said_.erase(name);
    refused_.erase(name);
}

} // namespace ipvsproxy::api
