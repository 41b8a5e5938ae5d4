namespace Kvorum.Cli.Up;

/// <summary>A node's log on disk, kept below a size: the file and the one before it.</summary>
internal sealed class CappedLog : IDisposable
{
    /// <summary>A full file becomes NAME.1, in place of the former NAME.1.</summary>
    public const long FileBytesMax = 8L * 1024 * 1024;

    /// <summary>How many lines are remembered to show when a node fails to start.</summary>
    private const int TailLinesMax = 20;

    private readonly Lock _lock = new();
    private readonly Queue<string> _tail = new();
    private StreamWriter? _writer;

    public CappedLog(string path)
    {
        FilePath = path;
        _writer = Open();
    }

    public string FilePath { get; }

    public IReadOnlyList<string> Tail
    {
        get
        {
            lock (_lock)
            {
                return [.. _tail];
            }
        }
    }

    public void WriteLine(string line)
    {
        lock (_lock)
        {
            _tail.Enqueue(line);
            while (_tail.Count > TailLinesMax)
            {
                _tail.Dequeue();
            }

            if (_writer is { BaseStream.Length: > FileBytesMax })
            {
                _writer.Dispose();
                File.Move(FilePath, $"{FilePath}.1", overwrite: true);
                _writer = Open();
            }

            _writer?.WriteLine(line);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _writer?.Dispose();
            _writer = null;
        }
    }

    private StreamWriter Open() =>
        new(new FileStream(FilePath, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            AutoFlush = true,
        };
}
