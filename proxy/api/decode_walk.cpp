#include "proxy/api/decode_walk.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ipvsproxy::api {
namespace {

std::string quoted(std::string_view value) {
    constexpr std::size_t longest = 64;
    const bool cut = value.size() > longest;
    return '"' + std::string{value.substr(0, longest)} + (cut ? "…\"" : "\"");
}

const char* name_of(Shape shape) {
    switch (shape) {
    case Shape::text:
        return "a string";
    case Shape::integer:
        return "a whole number";
    case Shape::boolean:
        return "true or false";
    case Shape::object:
    case Shape::event_object:
        return "an object";
    case Shape::texts:
        return "a list of strings";
    case Shape::objects:
    case Shape::items:
        return "a list of objects";
    }
    return ""; // not reached: the switch names every shape
}

bool is_list(Shape shape) {
    return shape == Shape::texts || shape == Shape::objects || shape == Shape::items;
}

std::optional<Event> event_of(std::string_view type) {
    using Known = std::pair<std::string_view, Event>;
    constexpr std::array known{Known{"ADDED", Event::added}, Known{"MODIFIED", Event::modified},
                               Known{"DELETED", Event::deleted}, Known{"BOOKMARK", Event::bookmark},
                               Known{"ERROR", Event::error}};
    for (const auto& [text, event] : known)
        if (text == type) return event;
    return std::nullopt;
}

} // namespace

Walk::Walk(Receiver receiver, Origin origin, const Position& position)
    : receiver_{std::move(receiver)}, origin_{origin}, position_{position} {}

void Walk::begin_object() {
    if (skip_ > 0) {
        ++skip_;
        return;
    }
    if (levels_.empty()) {
        begin_draft(false);
        return enter({.fields = &root_fields});
    }
    const Field* field = expected();
    const bool element = levels_.back().list != nullptr;
    if (field == nullptr) {
        skip_ = 1;
    } else if (field->shape == Shape::event_object || (element && field->shape == Shape::items)) {
        begin_draft(true);
        enter({.fields = &object_fields});
    } else if (field->shape == Shape::object || (element && field->shape == Shape::objects)) {
        if (element) field->next(in_item_ ? item_ : root_);
        enter({.fields = field->inside});
    } else {
        wrong_type(*field);
        skip_ = 1;
    }
}

void Walk::end_object() {
    if (skip_ > 0) {
        --skip_;
        return;
    }
    levels_.pop_back();
    if (levels_.empty()) end_root();
    else if (in_item_ && levels_.size() == base_) end_draft();
}

void Walk::begin_list() {
    if (skip_ > 0) {
        ++skip_;
        return;
    }
    skip_ = 1; // unless it is a list we read
    if (levels_.empty()) {
        begin_draft(false);
        return refuse("must be an object");
    }
    const bool element = levels_.back().list != nullptr;
    const Field* field = expected();
    if (field == nullptr) return;
    if (element || !is_list(field->shape)) return wrong_type(*field);
    skip_ = 0;
    if (field->shape == Shape::items) any_items_ = true;
    if (field->begin != nullptr) field->begin(in_item_ ? item_ : root_);
    enter({.list = field});
}

void Walk::end_list() {
    if (skip_ == 0) levels_.pop_back();
    else if (--skip_ == 0 && levels_.empty()) end_root();
}

void Walk::key(std::string_view key) {
    if (skip_ > 0) return;
    if (origin_ == Origin::manifest && levels_.size() == base_ + 1) {
        auto& draft = in_item_ ? item_ : root_;
        if (draft.line == 0) draft.line = position_.line();
    }
    auto& level = levels_.back();
    const auto* found = level.current = level.fields->find(key);
    if (found == nullptr) return;
    const auto bit = std::uint64_t{1} << level.fields->number(*found);
    if ((level.seen & bit) != 0) note(found->kinds, false, "given twice, the last one counts");
    level.seen |= bit;
    if (found->kinds == of_all) return; // metadata and the like: always emptied
    auto& draft = in_item_ ? item_ : root_;
    draft.touched = static_cast<Kinds>(draft.touched | found->kinds);
}

void Walk::text(std::string_view value) {
    if (skip_ > 0) return;
    if (levels_.empty()) return scalar(Shape::text);
    const bool element = levels_.back().list != nullptr;
    const Field* field = expected();
    if (field == nullptr) return;
    if (field->shape != (element ? Shape::texts : Shape::text)) return wrong_type(*field);
    judge(*field, field->text(in_item_ ? item_ : root_, value), value);
}

void Walk::integer(std::int64_t value) {
    if (skip_ > 0) return;
    if (levels_.empty()) return scalar(Shape::integer);
    const Field* field = expected();
    if (field == nullptr) return;
    if (field->shape != Shape::integer) return wrong_type(*field);
    judge(*field, field->integer(in_item_ ? item_ : root_, value), {});
}

void Walk::number() {
    scalar(Shape::integer);
}

void Walk::boolean(bool value) {
    if (skip_ > 0) return;
    if (levels_.empty()) return scalar(Shape::boolean);
    const Field* field = expected();
    if (field == nullptr) return;
    if (field->shape != Shape::boolean) return wrong_type(*field);
    field->boolean(in_item_ ? item_ : root_, value);
}

/// As in Kubernetes an explicit null is a field left out; an empty document is none at all.
void Walk::null() {
    if (skip_ == 0 && !levels_.empty()) expected();
}

/// A value that no field takes.
void Walk::scalar(Shape) {
    if (skip_ > 0) return;
    if (levels_.empty()) {
        begin_draft(false);
        refuse("must be an object");
        return end_root();
    }
    if (const Field* field = expected(); field != nullptr) wrong_type(*field);
}

void Walk::refuse(const char* reason) {
    if (skip_ == 0 || levels_.empty()) note(of_all, true, reason);
}

bool Walk::wants_value() const noexcept {
    if (skip_ > 0 || levels_.empty()) return false;
    const auto& level = levels_.back();
    return level.list != nullptr || level.current != nullptr;
}

/// The field that the value which begins now is of; nothing when it is not read.
const Field* Walk::expected() {
    auto& level = levels_.back();
    if (level.list == nullptr) return level.current;
    ++level.index;
    if (level.list->shape == Shape::items || level.index <= max_elements) return level.list;
    if (level.index == max_elements + 1)
        note(level.list->kinds, true, "more than " + std::to_string(max_elements) + " elements");
    return nullptr;
}

void Walk::enter(Level level) {
    levels_.push_back(level);
}

void Walk::begin_draft(bool item) {
    in_item_ = item;
    base_ = levels_.size();
    (item ? item_ : root_).reset();
    if (item) return;
    any_items_ = false;
    waiting_.clear();
    event_object_.reset();
}

void Walk::end_draft() {
    const bool of_event = levels_.back().list == nullptr;
    in_item_ = false;
    base_ = 0;
    if (of_event) {
        event_object_ = std::move(item_);
    } else if (item_.kind.empty() && (root_.kind.empty() || root_.api_version.empty())) {
        waiting_.push_back(std::move(item_));
    } else {
        receiver_(finish(std::move(item_), origin_, root_.kind, root_.api_version));
    }
}

void Walk::end_root() {
    if (const auto event = event_of(root_.event_type);
        event && event_object_ && root_.kind.empty()) {
        auto decoded = finish(std::move(*event_object_), origin_);
        decoded.event = *event;
        // A bookmark's object has a resourceVersion and no more.
        if (event == Event::bookmark) decoded.object = Object{OtherObject{}};
        return receiver_(std::move(decoded));
    }
    if (!root_.kind.ends_with("List") && !(any_items_ && root_.kind.empty()))
        return receiver_(finish(std::move(root_), origin_));
    for (auto& item : waiting_)
        receiver_(finish(std::move(item), origin_, root_.kind, root_.api_version));
    list_end_ = ListEnd{root_.resource_version, root_.continue_token};
    if (root_.findings.empty()) return;
    Decoded list{.kind = root_.kind, .line = root_.line};
    list.object = std::move(root_.findings.front().problem);
    receiver_(std::move(list));
}

void Walk::wrong_type(const Field& field) {
    // What is wrong with an element is said of the element.
    const bool element = levels_.back().list != nullptr;
    const char* name = !element                      ? name_of(field.shape)
                       : field.shape == Shape::texts ? name_of(Shape::text)
                                                     : name_of(Shape::object);
    note(field.kinds, true, std::string{"must be "} + name);
}

void Walk::judge(const Field& field, const Verdict& verdict, std::string_view value) {
    if (verdict.outcome == Verdict::taken) return;
    std::string reason = verdict.reason;
    if (!value.empty()) reason += ": " + quoted(value);
    note(field.kinds, verdict.outcome == Verdict::refused, std::move(reason));
}

void Walk::note(Kinds kinds, bool refuses, std::string reason) {
    auto& draft = in_item_ ? item_ : root_;
    if (draft.findings.size() >= max_findings && !refuses) {
        ++draft.findings_left_out;
        return;
    }
    // A refusal always finds room: it takes the place of the last warning.
    if (draft.findings.size() >= max_findings) draft.findings.pop_back();
    draft.findings.push_back({kinds, refuses, {path(), std::move(reason), position_.line()}});
}

std::string Walk::path() const {
    std::string out;
    for (auto level = base_; level < levels_.size(); ++level) {
        if (levels_[level].list != nullptr) {
            if (levels_[level].index > 0)
                out += '[' + std::to_string(levels_[level].index - 1) + ']';
        } else if (levels_[level].current != nullptr) {
            if (!out.empty()) out += '.';
            out += levels_[level].current->key;
        }
    }
    return out;
}

} // namespace ipvsproxy::api
