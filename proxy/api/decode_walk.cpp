#include "proxy/api/decode_walk_steps.h"

#include <algorithm>
#include <utility>

namespace ipvsproxy::api {
namespace {

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

} // namespace

Walk::Walk(Receiver receiver, Origin origin, const Position& position)
    : receiver_{std::move(receiver)}, origin_{origin}, position_{position} {}

void Walk::begin_root() {
    begin_draft(false);
    enter({.fields = &root_fields});
}

/// An object that is an API object of its own; or one where another type is expected.
void Walk::begin_item(const Field& field, bool element) {
    if (field.shape == Shape::event_object || (element && field.shape == Shape::items)) {
        begin_draft(true);
        return enter({.fields = &object_fields});
    }
    wrong_type(field);
    skip_ = 1;
}

/// A list of API objects; or one that nobody expects.
void Walk::begin_other_list(const Field* field, bool element) {
    if (field != nullptr && field->shape == Shape::items && !element) {
        any_items_ = true;
        return enter({.current = field});
    }
    skip_ = 1;
    if (field != nullptr) return wrong_type(*field);
    begin_draft(false);
    refuse("must be an object");
}

void Walk::refuse_root() {
    begin_draft(false);
    refuse("must be an object");
    end_root();
}

void Walk::refuse(const char* reason) {
    if (skip_ == 0 || outermost()) note(of_all, true, reason);
}

const Field* Walk::too_many(const Level& list) {
    if (list.index == max_elements + 1)
        note(list.current->kinds, true, "more than " + std::to_string(max_elements) + " elements");
    return nullptr;
}

void Walk::given_twice(const Field& field) {
    note(field.kinds, false, "given twice, the last one counts");
}

void Walk::element_text(std::string_view value) {
    const Field* field = expected();
    if (field == nullptr) return;
    if (field->shape != Shape::texts) return wrong_type(*field);
    const auto verdict = field->text(*draft_, value);
    if (verdict.outcome != Verdict::taken) judge(*field, verdict, value);
}

void Walk::take_line() {
    draft_->line = position_.line();
    wants_line_ = false;
}

void Walk::begin_draft(bool item) {
    in_item_ = item;
    base_ = top_;
    draft_ = item ? &item_ : &root_;
    draft_->reset();
    wants_line_ = origin_ == Origin::manifest;
    if (item) return;
    any_items_ = false;
    waiting_.clear();
    event_object_.reset();
}

void Walk::end_draft() {
    const bool of_event = !top_->is_list();
    in_item_ = wants_line_ = false;
    base_ = levels_.data();
    draft_ = &root_;
    if (of_event) {
        event_object_ = std::move(item_);
    } else if (item_.kind.empty() && (root_.kind.empty() || root_.api_version.empty())) {
        waiting_.push_back(std::move(item_));
    } else {
        receiver_(finish(std::move(item_), origin_, root_.kind, root_.api_version));
    }
}

void Walk::end_root() {
    if (const auto event = event_of(root_.event_type); event && event_object_ && root_.kind.empty())
        return receiver_(finish_event(std::move(*event_object_), *event, origin_));
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
    const bool element = top_->is_list();
    const char* name = !element                      ? name_of(field.shape)
                       : field.shape == Shape::texts ? name_of(Shape::text)
                                                     : name_of(Shape::object);
    note(field.kinds, true, std::string{"must be "} + name);
}

void Walk::judge(const Field& field, Verdict verdict, std::string_view value) {
    note(field.kinds, verdict.outcome == Verdict::refused, verdict.text(value));
}

void Walk::note(Kinds kinds, bool refuses, std::string reason) {
    draft_->note(kinds, refuses, {path(), std::move(reason), position_.line()});
}

std::string Walk::path() const {
    std::string out;
    for (const auto* level = base_; level++ != top_;) {
        if (level->is_list()) {
            if (level->index > 0) out += '[' + std::to_string(level->index - 1) + ']';
        } else if (level->current != nullptr) {
            if (!out.empty()) out += '.';
            out += level->current->key;
        }
    }
    return out;
}

} // namespace ipvsproxy::api
