// The manifests of `-f` as a source.
#pragma once

#include "proxy/files/watch.h"
#include "proxy/run/input.h"
#include "proxy/run/source.h"

namespace ipvsproxy::run {

/// Reads the manifests when it is made (standard input only then), and again as they change.
class FileSource final : public Source {
public:
    explicit FileSource(const files::Where& where);

    model::Store& store() override { return input_.store; }
    boost::asio::awaitable<void> find_node() override;
    boost::asio::awaitable<void> follow(Listener& listener) override;
    void read_again(Listener& listener) override;
    bool node_is_optional() const override { return true; }

private:
    void refresh(Listener& listener, const files::Changed& changed);
    void tell_when_read(Listener& listener);

    files::Watch watch_; ///< made before the files are read, so that no change is missed
    Input input_;
    bool was_read_{}; ///< every input, once
};

} // namespace ipvsproxy::run
