// The walk's steps: what is called for every token, to be inlined into the parser that calls it.
#pragma once

#include <cassert>

#include "proxy/api/decode_walk.h"

namespace ipvsproxy::api {

inline void Walk::enter(const Level& level) {
    assert(top_ != levels_.data() + levels_.size() - 1);
    *++top_ = level;
}

/// The field that the value which begins now is of; nothing when it is not read.
inline const Field* Walk::expected() {
    auto& level = *top_;
    if (level.is_list() && ++level.index > max_elements && level.current->shape != Shape::items)
        return too_many(level);
    return level.current;
}

inline void Walk::pass_over() {
    if (skip_ == 0 && outermost()) refuse_root();
}

inline void Walk::begin_object() {
    if (skip_ > 0) {
        ++skip_;
        return;
    }
    const auto& level = *top_;
    if (level.fields == nullptr) return begin_element();
    if (level.current == nullptr) skip_ = 1;
    else if (level.current->shape == Shape::object) enter({.fields = level.current->inside});
    else begin_item(*level.current, false);
}

/// Of a list, or outside of all objects.
inline void Walk::begin_element() {
    const Field* field = expected();
    if (field == nullptr) {
        if (outermost()) begin_root();
        else skip_ = 1;
    } else if (field->shape == Shape::objects) {
        field->next(*draft_);
        enter({.fields = field->inside});
    } else {
        begin_item(*field, true);
    }
}

inline void Walk::end_object() {
    if (skip_ > 0) {
        --skip_;
        return;
    }
    if (--top_ != base_) return;
    if (in_item_) end_draft();
    else end_root();
}

inline void Walk::begin_list() {
    if (skip_ > 0) {
        ++skip_;
        return;
    }
    const bool element = top_->is_list();
    const Field* field = expected();
    if (field == nullptr && !outermost()) {
        skip_ = 1;
    } else if (field == nullptr || element || field->begin == nullptr) {
        begin_other_list(field, element);
    } else {
        field->begin(*draft_);
        enter({.current = field});
    }
}

inline void Walk::end_list() {
    if (skip_ == 0) --top_;
    else if (--skip_ == 0 && outermost()) end_root();
}

inline void Walk::key(std::string_view key) {
    if (skip_ > 0) return;
    if (wants_line_) take_line();
    auto& level = *top_;
    const auto [found, number] = level.fields->find(key);
    level.current = found;
    if (found == nullptr) return;
    if ((level.seen >> number & 1U) != 0) given_twice(*found);
    level.seen |= std::uint64_t{1} << number;
    if (found->kinds == of_all) return; // metadata and the like: always emptied
    draft_->touched = static_cast<Kinds>(draft_->touched | found->kinds);
}

inline void Walk::text(std::string_view value) {
    if (!wants_value()) return pass_over();
    if (top_->is_list()) return element_text(value);
    const auto& field = *top_->current;
    if (field.shape != Shape::text) return wrong_type(field);
    const auto verdict = field.text(*draft_, value);
    if (verdict.outcome != Verdict::taken) judge(field, verdict, value);
}

inline void Walk::integer(std::int64_t value) {
    if (!wants_value()) return pass_over();
    const Field* field = expected();
    if (field == nullptr) return;
    if (field->shape != Shape::integer) return wrong_type(*field);
    const auto verdict = field->integer(*draft_, value);
    if (verdict.outcome != Verdict::taken) judge(*field, verdict, {});
}

inline void Walk::boolean(bool value) {
    if (!wants_value()) return pass_over();
    const Field* field = expected();
    if (field == nullptr) return;
    if (field->shape != Shape::boolean) return wrong_type(*field);
    field->boolean(*draft_, value);
}

inline void Walk::number() {
    if (!wants_value()) return pass_over();
    if (const Field* field = expected(); field != nullptr) wrong_type(*field);
}

/// As in Kubernetes an explicit null is a field left out; an empty document is none at all.
inline void Walk::null() {
    if (skip_ == 0) expected();
}

} // namespace ipvsproxy::api
