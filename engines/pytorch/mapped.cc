// Reads a TorchScript file whose large tensors (DLRM's tables: up to 100 GB) stay in the file.
//
// For each record of the archive libtorch asks its CPU allocator for memory of the record's size,
// and then its reader for the record's bytes, into that memory.  While a file is loaded both are
// ours: the allocator gives a mapping of the file that has the next unread record of that size in
// it, and a read of that record into that memory has nothing left to do.  Where that guess is wrong
// (libtorch takes equal sizes in another order than the archive has them, or the record is
// compressed), the bytes are read into the mapping, whose pages then become the process's own.
//
// What is read as ever: records below LARGE, those that lie at no multiple of ALIGN (archives that
// PyTorch has not written), whatever cannot be mapped, and all of a file with objects of libtorch's
// own classes (quantised weights): what packs them while the file is loaded asks the allocator for
// memory that it frees later without knowing whose it is.
//
// A mapping is private: what a module writes to its tensors never reaches the file.  It ends with
// its tensor and outlives the open file.  A file that somebody cuts off while it is mapped ends the
// process, as with any engine that maps its model.
#include "mapped.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <c10/core/CPUAllocator.h>
#include <caffe2/serialize/inline_container.h>

namespace assay_torch
{

namespace
{

constexpr size_t LARGE = 1 << 20;
constexpr size_t ALIGN = 64; // what libtorch's own allocator keeps, and its writer too

struct record {
    uint64_t at;
    size_t bytes;
};

struct mapping {
    void *pages;
    size_t bytes;
};

void unmap(void *context)
{
    std::unique_ptr<mapping> m(static_cast<mapping *>(context));

    munmap(m->pages, m->bytes);
}

class source final : public caffe2::serialize::ReadAdapterInterface
{
  public:
    explicit source(const char *path);
    source(const source &) = delete;
    source &operator=(const source &) = delete;
    ~source() override
    {
        close(fd);
    }
    size_t size() const override
    {
        return bytes;
    }
    size_t read(uint64_t at, void *to, size_t n, const char *what) const override;
    void add(const record &r);
    at::DataPtr map(size_t n);

  private:
    int fd;
    size_t bytes = 0;
    mutable std::vector<record> unread; // the large ones, in the archive's order
    record mapped = {};                 // what the last allocation has in it,
    const void *memory = nullptr;       // and where; NULL: nothing
};

source::source(const char *path) : fd(open(path, O_RDONLY | O_CLOEXEC))
{
    struct stat st;

    TORCH_CHECK(fd >= 0 && fstat(fd, &st) == 0, "cannot be opened: ", std::strerror(errno));
    bytes = (size_t)st.st_size;
}

void source::add(const record &r)
{
    if (r.bytes >= LARGE && r.at % ALIGN == 0 && r.at <= bytes && r.bytes <= bytes - r.at)
        unread.push_back(r);
}

size_t source::read(uint64_t at, void *to, size_t n, const char *) const
{
    size_t done = 0;
    ssize_t now = 1;

    std::erase_if(unread, [&](const record &r) { return r.at == at && r.bytes == n; });
    if (to == memory && at == mapped.at && n == mapped.bytes)
        return n;
    while (done < n && now > 0) {
        now = pread(fd, static_cast<char *>(to) + done, n - done, (off_t)(at + done));
        if (now > 0)
            done += (size_t)now;
        else if (now < 0 && errno == EINTR)
            now = 1;
    }
    return done;
}

// Null: there is no such record, or no mapping.
at::DataPtr source::map(size_t n)
{
    static const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    memory = nullptr;
    for (const record &r : unread) {
        if (r.bytes != n)
            continue;
        size_t before = r.at % page;
        auto m = std::make_unique<mapping>(mapping{nullptr, before + n});

        // Writable pages would be counted as memory that must be had, without MAP_NORESERVE.
        m->pages = mmap(nullptr, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd,
                        (off_t)(r.at - before));
        if (m->pages == MAP_FAILED)
            break;
#ifdef MADV_POPULATE_READ
        // As a read would: nothing waits for the disk, or a page, when it is measured.
        madvise(m->pages, m->bytes, MADV_POPULATE_READ);
#endif
        char *data = static_cast<char *>(m->pages) + before;
        mapped = r;
        memory = data;
        return {data, m.release(), unmap, at::kCPU};
    }
    return {};
}

thread_local source *loading = nullptr; // what this thread loads

// Tensors that are made during a load keep a pointer to it: it lives on.
struct allocator final : c10::Allocator {
    c10::Allocator *usual = c10::GetCPUAllocator();

    at::DataPtr allocate(size_t n) override
    {
        at::DataPtr data;

        if (loading)
            data = loading->map(n);
        return data ? std::move(data) : usual->allocate(n);
    }
    void copy_data(void *to, const void *from, size_t n) const override
    {
        default_copy_data(to, from, n);
    }
};

// Of lower priority than an allocator that somebody insists on: then everything is read.
class scope
{
  public:
    explicit scope(source &s) : lock(mutex)
    {
        static auto *const own = new allocator;

        usual = own->usual;
        loading = &s;
        c10::SetCPUAllocator(own);
    }
    scope(const scope &) = delete;
    scope &operator=(const scope &) = delete;
    ~scope()
    {
        c10::SetCPUAllocator(usual);
        loading = nullptr;
    }

  private:
    static inline std::mutex mutex;
    std::lock_guard<std::mutex> lock;
    c10::Allocator *usual;
};

bool ends_in(const std::string &name, std::string_view end)
{
    return name.size() >= end.size() && name.compare(name.size() - end.size(), end.npos, end) == 0;
}

// They are in pickles, of the module or of constants (a frozen one's), or are made of plain tensors
// by the code of a class.
bool has_native_objects(caffe2::serialize::PyTorchStreamReader &archive)
{
    for (const std::string &name : archive.getAllRecords()) {
        if (!ends_in(name, ".pkl") && !ends_in(name, ".py"))
            continue;
        const auto &[data, bytes] = archive.getRecord(name);
        std::string_view text(static_cast<const char *>(data.get()), bytes);

        if (text.find("torch.classes.") != text.npos)
            return true;
    }
    return false;
}

// Whether something may be mapped.  Of an archive that cannot be listed nothing is; loading it says
// what is wrong.
bool find_records(const std::shared_ptr<source> &s)
{
    try {
        caffe2::serialize::PyTorchStreamReader archive(s);

        if (has_native_objects(archive))
            return false;
        for (const std::string &name : archive.getAllRecords())
            s->add({archive.getRecordOffset(name), archive.getRecordSize(name)});
        return true;
    } catch (const std::exception &) {
        return false;
    }
}

} // namespace

torch::jit::Module mapped_load(const char *path, at::Device device,
                               torch::jit::ExtraFilesMap &extra)
{
    auto s = std::make_shared<source>(path);

    if (!find_records(s))
        return torch::jit::load(s, device, extra);
    scope loads(*s);
    return torch::jit::load(s, device, extra);
}

} // namespace assay_torch
