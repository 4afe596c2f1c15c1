// Follows the fields of decode_fields.h through the events of a JSON or YAML parser.
#pragma once

#include <array>

#include "proxy/api/decode_fields.h"

namespace ipvsproxy::api {

/// Knows how far the parser is. Asked only when there is something to say.
class Position {
public:
    virtual ~Position() = default;
    /// From 1; 0 when lines are not counted.
    virtual std::size_t line() const = 0;
};

/// Takes one parser's events and hands out the objects they make. Unknown subtrees cost a counter.
/// What is called for every token is inline, in decode_walk_steps.h: include that to call it.
class Walk {
public:
    Walk(Receiver receiver, Origin origin, const Position& position);
    Walk(const Walk&) = delete; // points into itself
    Walk& operator=(const Walk&) = delete;
    ~Walk() = default;

    void begin_object();
    void end_object();
    void begin_list();
    void end_list();
    void key(std::string_view key);
    void text(std::string_view value);
    void integer(std::int64_t value);
    /// A number that no field takes: with a fraction, or out of range.
    void number();
    void boolean(bool value);
    void null();
    /// Something the parser read that no object may hold here.
    void refuse(const char* reason);

    /// A value that is not wanted.
    void pass_over();

    /// Whether the value, or key, that comes next is looked at at all.
    bool wants_value() const noexcept { return skip_ == 0 && top_->current != nullptr; }
    bool wants_key() const noexcept { return skip_ == 0; }
    /// Where in the object the parser is ("spec.ports[0].port").
    std::string path() const;
    const std::optional<ListEnd>& list_end() const noexcept { return list_end_; }

private:
    struct Level {
        const Fields* fields{}; ///< of an object
        /// Whose value comes next, if it is read. Of a list its own: the elements are its values.
        const Field* current{};
        std::size_t index{};  ///< of a list: elements so far
        std::uint64_t seen{}; ///< of an object: the fields that came
        bool is_list() const noexcept { return fields == nullptr && current != nullptr; }
    };
    static constexpr std::size_t max_levels = 16; ///< the tables' fields nest half as deep

    bool outermost() const noexcept { return top_ == levels_.data(); }
    const Field* expected();
    void enter(const Level& level);
    void begin_element();
    void begin_root();
    void begin_item(const Field& field, bool element);
    void begin_other_list(const Field* field, bool element);
    void begin_draft(bool item);
    void end_draft();
    void end_root();
    void element_text(std::string_view value);
    void refuse_root();
    void wrong_type(const Field& field);
    void judge(const Field& field, Verdict verdict, std::string_view value);
    void note(Kinds kinds, bool refuses, std::string reason);
    const Field* too_many(const Level& list);
    void given_twice(const Field& field);
    void take_line();

    Receiver receiver_;
    Origin origin_;
    const Position& position_;
    std::array<Level, max_levels> levels_{}; ///< the first is what stands outside of all objects
    Level* top_{levels_.data()};
    Level* base_{levels_.data()}; ///< below the object being read
    std::size_t skip_{};          ///< containers that are open and not looked at
    bool in_item_{}, any_items_{};
    bool wants_line_{}; ///< the next key is the first of the object being read
    Draft root_{}, item_{};
    Draft* draft_{&root_};         ///< the object being read: one of the two
    std::vector<Draft> waiting_{}; ///< items, until the list has said its kind
    std::optional<Draft> event_object_{};
    std::optional<ListEnd> list_end_{};
};

} // namespace ipvsproxy::api
