namespace Kvorum.Simulator;

/// <summary>What a loss of power leaves of what was not synced.</summary>
internal enum CrashKeeps
{
    Nothing = 0,
    Everything = 1,
    Prefix = 2,

    /// <summary>Any subset, torn at sectors.</summary>
    Subset = 3,
}

/// <summary>How one loss of power tears.</summary>
/// <param name="SectorBytes">512 or 4,096: what is written as one.</param>
/// <param name="KeepPerMillion">The chance of each piece to survive.</param>
/// <param name="HasGarbage">Whether what was extended and not written shows garbage instead of zeros.</param>
internal readonly record struct CrashStyle(CrashKeeps Keeps, int SectorBytes, int KeepPerMillion, bool HasGarbage)
{
    public static CrashStyle Draw(CrashKeeps keeps, ChanceSource chance) => new(
        keeps, chance.Below(2) == 0 ? 512 : 4096, chance.Pick([100_000, 500_000, 500_000, 900_000]),
        chance.Below(4) == 0);
}

/// <summary>
/// A file's bytes twice: as programs see them, and as they are on the medium; between the two the ordered writes that
/// were not synced. In pages, so that long stretches of zeros cost nothing.
/// </summary>
internal sealed class SimFile
{
    private const int PageBytes = 4096;
    private const int PlacesMax = 64;

    /// <summary>Shorter writes are not looked through for zeros.</summary>
    private const int ZeroCheckBytesMin = 256;

    private readonly List<Pending> _pending = [];
    private readonly Queue<(long Offset, int Count)> _places = new();
    private byte[]?[] _seen = new byte[4][];
    private byte[]?[] _durable = new byte[4][];

    public long Length { get; private set; }

    public long DurableLength { get; private set; }

    /// <summary>Where the last writes went, oldest first.</summary>
    public IReadOnlyCollection<(long Offset, int Count)> LastPlaces => _places;

    public bool HasPending => _pending.Count > 0;

    /// <summary>What programs see is not all on the medium, and never will be.</summary>
    public bool HasGhosts { get; private set; }

    public int Read(Span<byte> buffer, long offset) => Read(_seen, Length, buffer, offset);

    /// <summary>Reads what is on the medium.</summary>
    public int ReadDurable(Span<byte> buffer, long offset) => Read(_durable, DurableLength, buffer, offset);

    public void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        var isZero = bytes.Length >= ZeroCheckBytesMin && !bytes.ContainsAnyExcept((byte)0);
        Put(ref _seen, offset, isZero ? default : bytes, bytes.Length);
        Length = Math.Max(Length, offset + bytes.Length);
        _pending.Add(new Pending(offset, bytes.Length, isZero ? null : bytes.ToArray(), IsLength: false));
        if (!isZero)
        {
            _places.Enqueue((offset, bytes.Length));
            if (_places.Count > PlacesMax)
            {
                _places.Dequeue();
            }
        }
    }

    public void SetLength(long length)
    {
        Cut(_seen, Length, length);
        Length = length;
        _pending.Add(new Pending(length, 0, null, IsLength: true));
    }

    /// <summary>Everything written is on the medium now.</summary>
    public void Sync()
    {
        foreach (var write in _pending)
        {
            Harden(write);
        }

        _pending.Clear();
    }

    /// <summary>
    /// A sync failed: the system gives up what was pending and calls it clean. Programs go on seeing it as long as the
    /// machine runs; no later sync brings it to the medium, only another write does.
    /// </summary>
    public void FailSync()
    {
        HasGhosts |= _pending.Count > 0;
        _pending.Clear();
    }

    /// <summary>The power failed: some of what was pending is on the medium; nothing else is seen any more.</summary>
    public void LosePower(in CrashStyle style, ChanceSource chance)
    {
        if (_pending.Count == 0 && !HasGhosts)
        {
            return;
        }

        var before = DurableLength;
        switch (style.Keeps)
        {
            case CrashKeeps.Nothing: break;
            case CrashKeeps.Everything: KeepFirst(_pending.Count); break;
            case CrashKeeps.Prefix: KeepFirst(chance.Below(_pending.Count + 1)); break;
            default: KeepSome(style, chance, before); break;
        }

        _pending.Clear();
        HasGhosts = false;
        _seen = new byte[_durable.Length][];
        for (var i = 0; i < _durable.Length; i++)
        {
            _seen[i] = (byte[]?)_durable[i]?.Clone();
        }

        Length = DurableLength;
    }

    /// <summary>Damages bytes on the medium, and what programs see of them.</summary>
    public void Damage(long offset, ReadOnlySpan<byte> bytes)
    {
        Put(ref _seen, offset, bytes, bytes.Length);
        Put(ref _durable, offset, bytes, bytes.Length);
    }

    /// <summary>Cuts the file, durably.</summary>
    public void CutDurable(long length)
    {
        Cut(_seen, Length, length);
        Cut(_durable, DurableLength, length);
        Length = DurableLength = length;
        _pending.Clear();
    }

    /// <summary>An equal file of what is on the medium.</summary>
    public SimFile CopyDurable()
    {
        var copy = new SimFile { Length = DurableLength, DurableLength = DurableLength };
        copy._seen = new byte[_durable.Length][];
        copy._durable = new byte[_durable.Length][];
        for (var i = 0; i < _durable.Length; i++)
        {
            copy._seen[i] = (byte[]?)_durable[i]?.Clone();
            copy._durable[i] = (byte[]?)_durable[i]?.Clone();
        }

        return copy;
    }

    private static int Read(byte[]?[] pages, long length, Span<byte> buffer, long offset)
    {
        var count = (int)Math.Clamp(length - offset, 0, buffer.Length);
        for (var done = 0; done < count;)
        {
            var page = (int)((offset + done) / PageBytes);
            var start = (int)((offset + done) % PageBytes);
            var part = Math.Min(count - done, PageBytes - start);
            if (page < pages.Length && pages[page] is { } bytes)
            {
                bytes.AsSpan(start, part).CopyTo(buffer[done..]);
            }
            else
            {
                buffer.Slice(done, part).Clear();
            }

            done += part;
        }

        return count;
    }

    /// <summary>Writes bytes, or zeros when <paramref name="bytes"/> is empty.</summary>
    private static void Put(ref byte[]?[] pages, long offset, ReadOnlySpan<byte> bytes, int length)
    {
        var last = (int)((offset + length - 1) / PageBytes);
        if (last >= pages.Length)
        {
            Array.Resize(ref pages, Math.Max(last + 1, pages.Length * 2));
        }

        for (var done = 0; done < length;)
        {
            var page = (int)((offset + done) / PageBytes);
            var start = (int)((offset + done) % PageBytes);
            var part = Math.Min(length - done, PageBytes - start);
            if (!bytes.IsEmpty)
            {
                bytes.Slice(done, part).CopyTo((pages[page] ??= new byte[PageBytes]).AsSpan(start));
            }
            else
            {
                pages[page]?.AsSpan(start, part).Clear();
            }

            done += part;
        }
    }

    /// <summary>What lies behind the end reads as zeros when the file grows again.</summary>
    private static void Cut(byte[]?[] pages, long before, long after)
    {
        for (var page = (int)(after / PageBytes); page < pages.Length && page * (long)PageBytes < before; page++)
        {
            var start = (int)Math.Max(0, after - page * (long)PageBytes);
            pages[page]?.AsSpan(start).Clear();
        }
    }

    private void KeepFirst(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Harden(_pending[i]);
        }
    }

    private void KeepSome(in CrashStyle style, ChanceSource chance, long before)
    {
        foreach (var write in _pending)
        {
            if (write.IsLength)
            {
                if (chance.Hits(style.KeepPerMillion))
                {
                    Harden(write);
                }

                continue;
            }

            for (var done = 0; done < write.Count;)
            {
                var sectorLeft = style.SectorBytes - (write.Offset + done) % style.SectorBytes;
                var part = (int)Math.Min(write.Count - done, sectorLeft);
                if (chance.Hits(style.KeepPerMillion))
                {
                    var bytes = write.Bytes is null ? default : write.Bytes.AsSpan(done, part);
                    Put(ref _durable, write.Offset + done, bytes, part);
                    DurableLength = Math.Max(DurableLength, write.Offset + done + part);
                }
                else if (style.HasGarbage && write.Offset + done >= before)
                {
                    var garbage = new byte[part];
                    Array.Fill(garbage, (byte)chance.Bits());
                    Put(ref _durable, write.Offset + done, garbage, part);
                }

                done += part;
            }
        }

        // Garbage counts only where the file was extended over it.
        Cut(_durable, _durable.Length * (long)PageBytes, DurableLength);
    }

    private void Harden(in Pending write)
    {
        if (write.IsLength)
        {
            Cut(_durable, DurableLength, write.Offset);
            DurableLength = write.Offset;
        }
        else
        {
            Put(ref _durable, write.Offset, write.Bytes, write.Count);
            DurableLength = Math.Max(DurableLength, write.Offset + write.Count);
        }
    }

    private readonly record struct Pending(long Offset, int Count, byte[]? Bytes, bool IsLength);
}
