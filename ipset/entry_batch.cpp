#include "ipset/entry_batch.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "ipset/session.h"

namespace ipvsproxy::ipset {
namespace {

/// Entries of a job, from index `first` up to before `last`.
struct Part {
    std::size_t job{}, first{}, last{};
};

class EntryWriter {
public:
    EntryWriter(netlink::Socket& socket, std::span<const EntryJob> jobs)
        : socket_{&socket}, jobs_{jobs} {}

    void write(Outcome& outcome) {
        const auto rest = write_many();
        write_singly(rest);
        report(outcome);
    }

private:
    /// @return what has to be sent again because an entry before it was refused.
    std::vector<Part> write_many() {
        netlink::Messages messages;
        std::vector<Part> parts; // of each message
        for (std::size_t job = 0; job < jobs_.size(); ++job) {
            const auto& [set, spec, operation, entries] = jobs_[job];
            for (std::size_t first = 0; first < entries.size();) {
                const auto taken =
                    encode_entries(messages, operation, set, spec, entries.subspan(first));
                parts.push_back({job, first, first + taken});
                first += taken;
            }
        }
        std::vector<Part> rest;
        for (const auto& failure : send(messages, parts)) {
            auto part = parts.at(failure.index);
            const auto error = error_of_set(failure.error);
            if (refuse_set(part.job, error)) continue;
            const auto number = decode_failed_entry(failure.request);
            if (number && part.first + *number <= part.last) {
                part.first += *number;
                refuse(part.job, part.first - 1, error);
            }
            if (part.first < part.last) rest.push_back(part);
        }
        return rest;
    }

    void write_singly(const std::vector<Part>& rest) {
        netlink::Messages messages;
        std::vector<Part> parts;
        for (const auto& part : rest) {
            const auto& [set, spec, operation, entries] = jobs_[part.job];
            for (std::size_t i = part.first; i < part.last; ++i) {
                encode_entry(messages, operation, set, spec, entries[i]);
                parts.push_back({part.job, i, i + 1});
            }
        }
        for (const auto& failure : send(messages, parts)) {
            const auto& part = parts.at(failure.index);
            const auto error = error_of_set(failure.error);
            if (!refuse_set(part.job, error)) refuse(part.job, part.first, error);
        }
    }

    std::vector<netlink::Failure> send(netlink::Messages& messages,
                                       const std::vector<Part>& parts) {
        if (messages.empty()) return {};
        auto answer = socket_->batch(messages);
        if (answer.unknown)
            for (const auto& part : parts)
                unknown_.emplace(jobs_[part.job].set);
        return std::move(answer.failures);
    }

    void refuse(std::size_t job, std::size_t entry, const std::error_code& error) {
        entries_.insert_or_assign({job, entry}, error);
    }

    /// Whether the set itself is missing: then that is all there is to say of its entries.
    bool refuse_set(std::size_t job, const std::error_code& error) {
        if (error != std::errc::no_such_file_or_directory) return false;
        sets_.emplace(jobs_[job].set, error);
        return true;
    }

    void report(Outcome& outcome) const {
        for (const auto& [set, error] : sets_)
            outcome.refused.push_back({{set}, error});
        for (const auto& [place, error] : entries_) {
            const auto& job = jobs_[place.first];
            outcome.refused.push_back({{std::string{job.set}, job.entries[place.second]}, error});
        }
        outcome.unknown.insert(unknown_.begin(), unknown_.end());
    }

    netlink::Socket* socket_;
    std::span<const EntryJob> jobs_;
    std::map<std::string, std::error_code> sets_;
    std::map<std::pair<std::size_t, std::size_t>, std::error_code> entries_; // by job and place
    std::set<std::string> unknown_;
};

} // namespace

void write_entries(netlink::Socket& socket, std::span<const EntryJob> jobs, Outcome& outcome) {
    EntryWriter{socket, jobs}.write(outcome);
}

} // namespace ipvsproxy::ipset
