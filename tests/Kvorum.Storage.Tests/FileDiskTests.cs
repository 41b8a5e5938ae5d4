using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

public sealed class FileDiskTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FileDisk _disk = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_file_is_written_read_grown_cut_renamed_and_deleted()
    {
        using (var file = _disk.Open(_directory.Combine("a"), create: true))
        {
            file.Write([1, 2, 3], 5);
            file.Sync();
            Assert.Equal(8, file.Length);
            var buffer = new byte[10];
            Assert.Equal(8, file.Read(buffer, 0));
            Assert.Equal([0, 0, 0, 0, 0, 1, 2, 3, 0, 0], buffer);
            file.SetLength(6);
            Assert.Equal(1, file.Read(buffer, 5));
            Assert.Equal(0, file.Read(buffer, 6));
        }

        _disk.Rename(_directory.Combine("a"), _directory.Combine("b"));
        _disk.SyncDirectory(_directory.Path);
        Assert.Equal(["b"], _disk.List(_directory.Path));
        _disk.Delete(_directory.Combine("b"));
        _disk.Delete(_directory.Combine("b"));
        Assert.False(_disk.Exists(_directory.Combine("b")));
        Assert.Empty(_disk.List(_directory.Combine("nothing")));
    }

    [Fact]
    public void Every_failure_names_the_call_and_the_path()
    {
        var missing = _directory.Combine("missing");
        var failures = new[]
        {
            Assert.Throws<IOException>(() => _disk.Open(missing, create: false)),
            Assert.Throws<IOException>(() => _disk.Open(missing + "/file", create: true)),
            Assert.ThrowsAny<IOException>(() => _disk.Rename(missing, missing + "2")),
            Assert.Throws<SyncFailedException>(() => _disk.SyncDirectory(missing)),
        };
        Assert.All(failures, failure => Assert.Contains(missing, failure.Message, StringComparison.Ordinal));
        Assert.Contains("open", failures[0].Message, StringComparison.Ordinal);
        Assert.Contains("No such file or directory", failures[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_lock_is_held_once_and_given_back()
    {
        var path = _directory.Combine("lock");
        using (var held = _disk.TryLock(path))
        {
            Assert.NotNull(held);
            Assert.Null(_disk.TryLock(path));
        }

        using var again = _disk.TryLock(path);
        Assert.NotNull(again);
    }

    [Fact]
    public async Task Reads_from_another_thread_see_only_durable_entries_while_the_writer_appends_replaces_and_cuts()
    {
        using var wal = Wal.Open(_disk, _directory.Combine("wal"), Logs.Options(segmentBytes: 16 * 1024));
        ulong durable = 0;
        ulong cut = 0;
        using var isReading = new ManualResetEventSlim();
        var reader = Task.Run(() =>
        {
            isReading.Set();
            long read = 0;
            while (Volatile.Read(ref durable) < 3000 || read <= 10)
            {
                var (low, high) = (Volatile.Read(ref cut), Volatile.Read(ref durable));
                var from = low + (ulong)(read % 50) + 1;
                if (from > high)
                {
                    continue;
                }

                var entries = wal.Read(Logs.Group, new LogIndex(from), 2000);
                Assert.True(entries.Count > 0 || Volatile.Read(ref cut) >= from);
                for (var i = 0; i < entries.Count; i++)
                {
                    var expected = Logs.Large(entries[i].Term.Value, from + (ulong)i, 40);
                    Assert.Equal(Logs.Show(expected), Logs.Show(entries[i]));
                }

                read++;
            }

            return read;
        }, TestContext.Current.CancellationToken);

        // On a busy machine the task may start long after the writer would be done.
        isReading.Wait(TestContext.Current.CancellationToken);
        var random = new Random(1);
        for (ulong next = 1; next <= 3000;)
        {
            var count = random.Next(1, 20);
            wal.Append(Logs.Group, Logs.Entries(next / 500 + 1, next, count, payloadBytes: 40));
            wal.Sync();
            next += (ulong)count;
            Volatile.Write(ref durable, next - 1);
            if (random.Next(10) == 0 && next > 300)
            {
                Volatile.Write(ref cut, next - 200);
                wal.CutBefore(Logs.Group, Logs.Id(1, next - 200));
            }
        }

        Assert.True(await reader > 10);
    }
}
