/*
 * pollux for C++20: owners, string_view and lambdas over the C headers.  Header only.
 *
 *     #include <pollux.hpp>
 *
 *     pollux::server server;
 *     server.route("GET /users/{id}", [](pollux::exchange exchange) {
 *         exchange.respond_text(200, exchange.param("id").value_or("none"));
 *     });
 *     server.listen("127.0.0.1:8080");
 *     server.run();
 *
 * Setup calls throw pollux::error.  A handler that throws is answered 500 where nothing was
 * answered yet; no exception passes through C.  What a lambda captures is destroyed with the
 * server, site, timer or exchange that it was given to.  Everything of the C headers can be used
 * beside it: `get` of each owner is its handle.
 */
#ifndef PX_POLLUX_HPP
#define PX_POLLUX_HPP

#if __cplusplus < 202002L
#error "pollux.hpp needs C++20: compile with -std=c++20, or CMAKE_CXX_STANDARD 20"
#endif

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "pollux/pollux.h"

namespace pollux
{

/// A setup call failed.
class error : public std::runtime_error
{
  public:
    explicit error(const px_error &what) : std::runtime_error(what.text), code_(what.code)
    {
    }
    error(px_err code, const char *text) : std::runtime_error(text), code_(code)
    {
    }
    px_err code() const noexcept
    {
        return code_;
    }

  private:
    px_err code_;
};

/// The bytes of a view, for a C call; a view without a pointer is empty, and not absent.
inline px_str str(std::string_view view) noexcept
{
    return px_str_make(view.data() ? view.data() : "", view.size());
}

/// A slice as a view; an absent one is nullopt.
inline std::optional<std::string_view> view(px_str str) noexcept
{
    return str.ptr ? std::optional(std::string_view(str.ptr, str.len)) : std::nullopt;
}

namespace detail
{

inline void check(px_err code, const px_error &what)
{
    if (code != PX_OK)
        throw error(what);
}

inline std::string_view plain(px_str str) noexcept
{
    return str.ptr ? std::string_view(str.ptr, str.len) : std::string_view();
}

template <class F> void destroy(void *context) noexcept
{
    delete static_cast<F *>(context);
}

template <auto Destroy> struct deleter {
    template <class T> void operator()(T *ptr) const noexcept
    {
        Destroy(ptr);
    }
};

} // namespace detail

/// A request and its answer; borrowed, as px_exchange is.
class exchange
{
  public:
    explicit exchange(px_exchange *ptr) noexcept : ptr_(ptr)
    {
    }
    px_exchange *get() const noexcept
    {
        return ptr_;
    }

    std::string_view method() const noexcept
    {
        return detail::plain(px_request_method(ptr_));
    }
    std::string_view target() const noexcept
    {
        return detail::plain(px_request_target(ptr_));
    }
    std::optional<std::string_view> path() const noexcept
    {
        return view(px_request_path(ptr_));
    }
    std::optional<std::string_view> query() const noexcept
    {
        return view(px_request_query(ptr_));
    }
    std::string_view client() const noexcept
    {
        return detail::plain(px_request_client(ptr_));
    }
    std::optional<std::string_view> content() const noexcept
    {
        return view(px_request_content(ptr_));
    }
    std::optional<std::string_view> field(const char *name) const noexcept
    {
        return view(px_request_field(ptr_, name));
    }
    std::optional<std::string_view> param(const char *name) const noexcept
    {
        return view(px_request_param(ptr_, name));
    }
    std::optional<std::string_view> query_param(const char *name) const noexcept
    {
        return view(px_request_query_param(ptr_, name));
    }
    std::optional<std::string_view> form_param(const char *name) const noexcept
    {
        return view(px_request_form_param(ptr_, name));
    }
    std::optional<std::string_view> cookie(const char *name) const noexcept
    {
        return view(px_request_cookie(ptr_, name));
    }
    /// Its trace, its span in it, and the span that asked for it, where its trace began elsewhere.
    std::string_view trace_id() const noexcept
    {
        return detail::plain(px_request_trace_id(ptr_));
    }
    std::string_view span_id() const noexcept
    {
        return detail::plain(px_request_span_id(ptr_));
    }
    std::optional<std::string_view> parent_span_id() const noexcept
    {
        return view(px_request_parent_span_id(ptr_));
    }
    bool is_sampled() const noexcept
    {
        return px_request_is_sampled(ptr_) != 0;
    }
    std::span<const px_field> fields() const noexcept
    {
        size_t count = 0;
        const px_field *fields = px_request_fields(ptr_, &count);

        return {fields, count};
    }

    exchange &add_field(std::string_view name, std::string_view value) noexcept
    {
        px_response_add_field(ptr_, str(name), str(value));
        return *this;
    }
    exchange &set_field(std::string_view name, std::string_view value) noexcept
    {
        px_response_set_field(ptr_, str(name), str(value));
        return *this;
    }
    void respond(unsigned status, std::string_view type, std::string_view content) noexcept
    {
        px_respond(ptr_, status, str(type), str(content));
    }
    /// Content that is moved in and not copied: of a std::string that is an rvalue, and of nothing
    /// that has to become one first.
    template <std::same_as<std::string> Text>
    void respond(unsigned status, std::string_view type, Text &&content)
    {
        auto owned = std::make_unique<std::string>(std::move(content));
        px_body body{sizeof(px_body), str(*owned), detail::destroy<std::string>, owned.get()};

        owned.release();
        px_respond_body(ptr_, status, str(type), &body);
    }
    void respond_text(unsigned status, std::string_view text) noexcept
    {
        respond(status, "text/plain; charset=utf-8", text);
    }
    void respond_error(unsigned status) noexcept
    {
        px_respond_error(ptr_, status);
    }
    void redirect(unsigned status, std::string_view location) noexcept
    {
        px_respond_redirect(ptr_, status, str(location));
    }
    bool is_answered() const noexcept
    {
        return px_response_status(ptr_) != 0;
    }
    bool is_open() const noexcept
    {
        return px_exchange_is_open(ptr_) != 0;
    }
    void abort() noexcept
    {
        px_exchange_abort(ptr_);
    }
    /// Goes on after a middleware's PX_STOP.
    void next() noexcept
    {
        px_exchange_next(ptr_);
    }

    /// Calls `F(exchange, px_end, unsigned status)` once it is over; false without memory.
    template <class F> bool at_end(F &&call)
    {
        using function = std::decay_t<F>;
        auto owned = std::make_unique<function>(std::forward<F>(call));
        auto run = [](px_exchange *ptr, px_end end, unsigned status, void *context) noexcept {
            std::unique_ptr<function> kept(static_cast<function *>(context));

            (*kept)(exchange(ptr), end, status);
        };

        if (px_exchange_at_end(ptr_, run, owned.get()) != PX_OK)
            return false;
        owned.release();
        return true;
    }

    /// Collects the content and calls `F(exchange, std::string_view)`.
    template <class F> void collect(uint64_t bytes_max, F &&call)
    {
        using function = std::decay_t<F>;
        auto owned = std::make_unique<function>(std::forward<F>(call));
        function *kept = owned.get();

        /* It lives as long as the exchange: on_collected does not come when that ends before. */
        if (!at_end([held = std::shared_ptr<function>(std::move(owned))](exchange, px_end,
                                                                         unsigned) {})) {
            respond_error(503);
            return;
        }
        px_request_collect(
            ptr_, bytes_max,
            [](px_exchange *ptr, px_str content, void *context) noexcept {
                guard(exchange(ptr), [&](exchange asked) {
                    (*static_cast<function *>(context))(asked, detail::plain(content));
                });
            },
            kept);
    }

    /// Runs what may throw; then the answer is 500, where there is none.
    template <class F> static void guard(exchange asked, F &&call) noexcept
    {
        try {
            call(asked);
        } catch (...) {
            if (asked.is_answered())
                asked.abort();
            else
                asked.respond_error(500);
        }
    }

  private:
    px_exchange *ptr_;
};

/// Names an exchange on any thread (px_ref).
class ref
{
  public:
    explicit ref(exchange named) noexcept : ref_(px_exchange_ref(named.get()))
    {
    }
    ref(ref &&other) noexcept : ref_(std::exchange(other.ref_, px_ref{}))
    {
    }
    ref &operator=(ref &&other) noexcept
    {
        std::swap(ref_, other.ref_);
        return *this;
    }
    ~ref()
    {
        px_ref_release(&ref_);
    }

    /// Calls `F(exchange)` on the loop's thread, where the exchange has not ended; false: the loop
    /// is gone, or there is no memory.  Any thread.
    template <class F> bool post(F &&call) const
    {
        return post_to(ref_, std::forward<F>(call));
    }

    template <class F> static bool post_to(const px_ref &to, F &&call)
    {
        using function = std::decay_t<F>;
        auto owned = std::make_unique<function>(std::forward<F>(call));
        auto run = [](px_exchange *ptr, px_err, void *context) noexcept {
            std::unique_ptr<function> kept(static_cast<function *>(context));

            if (ptr)
                exchange::guard(exchange(ptr), *kept);
        };

        if (px_ref_post(&to, run, owned.get()) != PX_OK)
            return false;
        owned.release();
        return true;
    }

  private:
    px_ref ref_;
};

/// A request for other threads (px_held).
class held
{
  public:
    /// Throws std::bad_alloc without memory.
    explicit held(exchange asked) : ptr_(px_request_hold(asked.get()))
    {
        if (!ptr_)
            throw std::bad_alloc();
    }
    const px_held *operator->() const noexcept
    {
        return ptr_.get();
    }
    std::optional<std::string_view> field(const char *name) const noexcept
    {
        return view(px_held_field(ptr_.get(), name));
    }
    std::string_view content() const noexcept
    {
        return detail::plain(ptr_->content);
    }
    /// As ref::post.  Any thread.
    template <class F> bool post(F &&call) const
    {
        return ref::post_to(ptr_->ref, std::forward<F>(call));
    }

  private:
    std::unique_ptr<const px_held, detail::deleter<px_held_release>> ptr_;
};

/// An event loop.
class loop
{
  public:
    loop() : loop(nullptr)
    {
    }
    explicit loop(const px_loop_options *options)
    {
        px_error what = PX_ERROR_INIT;

        ptr_.reset(px_loop_create(options, &what));
        if (!ptr_)
            throw error(what);
    }
    px_loop *get() const noexcept
    {
        return ptr_.get();
    }
    /// Where names are looked up: px_loop_set_name_servers.
    void set_name_servers(std::span<const char *const> servers)
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_loop_set_name_servers(get(), servers.data(), servers.size(), &what), what);
    }
    void run()
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_loop_run(get(), &what), what);
    }
    void stop() noexcept
    {
        px_loop_stop(get());
    }

  private:
    std::unique_ptr<px_loop, detail::deleter<px_loop_destroy>> ptr_;
};

/// A timer that calls `F()`; it must not outlive its loop.
class timer
{
  public:
    template <class F>
    timer(px_loop *on, F &&call)
        : call_(std::make_unique<std::function<void()>>(std::forward<F>(call)))
    {
        ptr_.reset(px_timer_create(
            on,
            [](px_timer *, void *context) noexcept {
                (*static_cast<std::function<void()> *>(context))();
            },
            call_.get()));
        if (!ptr_)
            throw std::bad_alloc();
    }
    void start(uint32_t delay_ms) noexcept
    {
        px_timer_start(ptr_.get(), delay_ms);
    }
    void stop() noexcept
    {
        px_timer_stop(ptr_.get());
    }

  private:
    std::unique_ptr<std::function<void()>> call_;
    std::unique_ptr<px_timer, detail::deleter<px_timer_destroy>> ptr_;
};

/// Certificates, for listeners; it must outlive the servers that use it.
class tls
{
  public:
    tls() : tls(px_tls_options_default())
    {
    }
    explicit tls(const px_tls_options &options)
    {
        px_error what = PX_ERROR_INIT;

        take(px_tls_create(&options, &what), what);
    }
    /// One of another: px_tls_clone.
    tls(const tls &from, const px_tls_options *options)
    {
        px_error what = PX_ERROR_INIT;

        take(px_tls_clone(from.get(), options, &what), what);
    }
    px_tls *get() const noexcept
    {
        return ptr_.get();
    }
    void add_certificate(const char *certificate_file, const char *key_file = nullptr)
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_tls_add_certificate(get(), certificate_file, key_file, &what), what);
    }
    void add_self_signed(const char *names = nullptr)
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_tls_add_self_signed(get(), names, &what), what);
    }
    /// False: `from` has none for these names, or it ends soon; make one.
    bool keep_self_signed(const char *names, const tls &from)
    {
        px_error what = PX_ERROR_INIT;
        px_err code = px_tls_keep_self_signed(get(), names, from.get(), &what);

        if (code != PX_ERR_NOT_FOUND)
            detail::check(code, what);
        return code == PX_OK;
    }
    void take_tickets(const tls &from) noexcept
    {
        px_tls_take_tickets(get(), from.get());
    }
    void reload()
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_tls_reload(get(), &what), what);
    }
    /// Of a certificate, by SHA-256 ("AB:CD:..."); empty: there are not so many.
    std::string fingerprint(size_t index = 0) const
    {
        char text[96];

        return std::string(text, px_tls_fingerprint_at(get(), index, text, sizeof(text)));
    }

  private:
    void take(px_tls *ptr, const px_error &what)
    {
        if (!ptr)
            throw error(what);
        ptr_.reset(ptr);
    }
    std::unique_ptr<px_tls, detail::deleter<px_tls_destroy>> ptr_;
};

/// An answer to a test's request (px_test_answer).
class answer
{
  public:
    explicit answer(px_test_answer *ptr) noexcept : ptr_(ptr)
    {
    }
    unsigned status() const noexcept
    {
        return ptr_->status;
    }
    std::string_view content() const noexcept
    {
        return detail::plain(ptr_->content);
    }
    std::optional<std::string_view> field(const char *name) const noexcept
    {
        return view(px_test_field(ptr_.get(), name));
    }

  private:
    std::unique_ptr<px_test_answer, detail::deleter<px_test_answer_free>> ptr_;
};

/// A server, with the loop that it makes or on one of yours.
class server
{
  public:
    server() : server(px_server_options_default())
    {
    }
    explicit server(const px_server_options &options)
    {
        px_error what = PX_ERROR_INIT;

        ptr_.reset(px_server_create(&options, &what));
        if (!ptr_)
            throw error(what);
    }
    px_server *get() const noexcept
    {
        return ptr_.get();
    }

    /// `F(exchange)` answers, or keeps a ref and answers later.
    template <class F>
    void route(const char *pattern, F &&handler,
               px_route_options options = px_route_options_default())
    {
        using function = std::decay_t<F>;
        px_error what = PX_ERROR_INIT;
        auto owned = std::make_unique<function>(std::forward<F>(handler));

        options.release = detail::destroy<function>;
        px_handler run = [](px_exchange *ptr, void *context) noexcept {
            exchange::guard(exchange(ptr), *static_cast<function *>(context));
        };

        /* Released by the call when it fails. */
        detail::check(px_server_route_with(get(), pattern, &options, run, owned.release(), &what),
                      what);
    }

    /// Takes a route out, for the requests that follow; what it captured is destroyed with the
    /// server.
    void unroute(const char *pattern)
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_server_unroute(get(), pattern, &what), what);
    }

    /// The same as route, called with the content collected.
    template <class F> void route_collected(const char *pattern, F &&handler)
    {
        px_route_options options = px_route_options_default();

        options.content_mode = PX_CONTENT_COLLECT;
        route(pattern, std::forward<F>(handler), options);
    }

    /// `F(exchange)` returns PX_NEXT, or PX_STOP when it has answered or will.
    template <class F> void use(F &&middleware)
    {
        using function = std::decay_t<F>;
        px_error what = PX_ERROR_INIT;
        auto owned = std::make_unique<function>(std::forward<F>(middleware));
        px_middleware_fn run = [](px_exchange *ptr, void *context) noexcept {
            px_verdict verdict = PX_STOP;

            exchange::guard(exchange(ptr), [&](exchange asked) {
                verdict = (*static_cast<function *>(context))(asked);
            });
            return verdict;
        };

        detail::check(px_server_use(get(), run, owned.release(), detail::destroy<function>, &what),
                      what);
    }

    void listen(const char *address)
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_server_listen(get(), address, &what), what);
    }
    /// The same with TLS; `with` outlives the server.
    void listen(const char *address, const tls &with)
    {
        px_error what = PX_ERROR_INIT;
        px_serve_options options = px_serve_options_default();

        options.tls = with.get();
        std::unique_ptr<px_listener, detail::deleter<px_listener_close>> listener(
            px_listener_open(address, nullptr, &what));

        if (!listener)
            throw error(what);
        detail::check(px_server_serve_with(get(), listener.get(), &options, &what), what);
        listener.release();
    }
    std::string_view address() const noexcept
    {
        return px_server_address(get());
    }
    void run()
    {
        px_error what = PX_ERROR_INIT;

        detail::check(px_server_run(get(), &what), what);
    }
    void stop() noexcept
    {
        px_server_stop(get());
    }
    void drain(uint32_t delay_ms = 0, uint32_t deadline_ms = 0) noexcept
    {
        px_server_drain(get(), delay_ms, deadline_ms);
    }
    /// Asks it in a test: px_test_ask.
    answer ask(const char *request, std::optional<std::string_view> content = std::nullopt)
    {
        px_error what = PX_ERROR_INIT;
        px_test_answer *got =
            px_test_ask(get(), request, content ? str(*content) : px_str{nullptr, 0}, &what);

        if (!got)
            throw error(what);
        return answer(got);
    }

  private:
    std::unique_ptr<px_server, detail::deleter<px_server_destroy>> ptr_;
};

} // namespace pollux

#endif
