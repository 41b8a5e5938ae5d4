using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// Raw bytes from the middle of a snapshot file, none of which leave before the checksums that cover them matched.
/// </summary>
internal static class SnapshotRange
{
    private const int FrameBytes = SnapshotFormat.ChunkHeaderBytes + SnapshotFormat.ChunkBytes;

    /// <summary>Reads [<paramref name="offset"/>, + <paramref name="count"/>), which must lie in the file.</summary>
    /// <exception cref="SnapshotCorruptException">Something there is damaged.</exception>
    public static byte[] Read(IDiskFile file, GroupId group, SnapshotDescriptor snapshot, long offset, int count)
    {
        if ((ulong)file.Length != snapshot.Length)
        {
            throw new SnapshotCorruptException(file.Path, file.Length, $"{snapshot.Length} bytes were expected");
        }

        var header = new byte[SnapshotFormat.HeaderBytesMax];
        var read = Read(file, header, 0);
        var wrong = SnapshotFormat.ReadHeader(
            header.AsSpan(0, read), group, out var lastIncluded, out var membership, out var headerBytes, out var salt);
        if (wrong is not null || lastIncluded != snapshot.LastIncluded || !snapshot.Membership.Equals(membership))
        {
            throw new SnapshotCorruptException(file.Path, 0, wrong ?? "the header of another snapshot");
        }

        var footerAt = file.Length - SnapshotFormat.FooterBytes;
        var start = FrameStart(offset, headerBytes, footerAt);
        var last = FrameStart(offset + count - 1, headerBytes, footerAt);
        var end = last == 0 ? headerBytes : last == footerAt ? file.Length : Math.Min(last + FrameBytes, footerAt);
        var bytes = GC.AllocateUninitializedArray<byte>((int)(end - start));
        if (Read(file, bytes, start) != bytes.Length)
        {
            throw new SnapshotCorruptException(file.Path, start, "the file ends early");
        }

        for (var position = start; position < end;)
        {
            var frame = bytes.AsSpan((int)(position - start));
            var length = (int)(FrameEnd(position, headerBytes, footerAt) - position);
            if (!IsWhole(frame[..length], position, headerBytes, footerAt, salt, header))
            {
                throw new SnapshotCorruptException(file.Path, position, "a part does not match its checksum");
            }

            position += length;
        }

        return bytes.AsSpan((int)(offset - start), count).ToArray();
    }

    private static int Read(IDiskFile file, byte[] buffer, long offset)
    {
        try
        {
            return file.Read(buffer, offset);
        }
        catch (IOException e) when (DiskErrors.IsUnreadable(e))
        {
            throw new SnapshotCorruptException(file.Path, offset, e.Message);
        }
    }

    private static long FrameStart(long offset, int headerBytes, long footerAt) =>
        offset < headerBytes ? 0
        : offset >= footerAt ? footerAt
        : headerBytes + ((offset - headerBytes) / FrameBytes * FrameBytes);

    private static long FrameEnd(long start, int headerBytes, long footerAt) =>
        start == 0 ? headerBytes
        : start == footerAt ? footerAt + SnapshotFormat.FooterBytes
        : Math.Min(start + FrameBytes, footerAt);

    private static bool IsWhole(
        ReadOnlySpan<byte> frame, long position, int headerBytes, long footerAt, uint salt, byte[] header)
    {
        if (position == 0)
        {
            return frame.SequenceEqual(header.AsSpan(0, headerBytes)); // Checked, and read again since.
        }

        var frames = (position - headerBytes + FrameBytes - 1) / FrameBytes;
        if (position == footerAt)
        {
            return SnapshotFormat.IsFooter(
                frame, salt, footerAt - headerBytes - (frames * SnapshotFormat.ChunkHeaderBytes));
        }

        var dataBytes = frame.Length - SnapshotFormat.ChunkHeaderBytes;
        return dataBytes > 0 && SnapshotFormat.ChunkLength(frame) == dataBytes
            && SnapshotFormat.IsChunk(frame, salt, frames * SnapshotFormat.ChunkBytes, dataBytes);
    }
}
