namespace Kvorum.Storage;

/// <summary>
/// Walks the records of one segment and judges the place where they end (docs/formats.md, "Opening").
/// </summary>
/// <param name="scan">Receives the records.</param>
/// <param name="next">The header of the segment after this one; null when this is the newest.</param>
internal sealed class WalSegmentCheck(WalScan scan, WalSegmentHeader? next)
{
    /// <summary>The search behind a damaged place checks at most this many times the segment's bytes.</summary>
    private const int SearchFactorMax = 4;

    private string Path => scan.Segment.File.Path;

    /// <exception cref="WalCorruptException">Something that was durable is damaged.</exception>
    public void Run()
    {
        Walk();
#if MUTANTS
        if (StorageMutants.TruncateAtDamage)
        {
            return; // Mutant 33; WalRecovery drops the segments behind the first that ends early.
        }
#endif
        if (next is { } header)
        {
            CheckAgainst(header);
        }
        else if (scan.IsSealed)
        {
            throw new WalCorruptException(
                Path, scan.End, "the segment after this one, which a record here says exists", "no such file");
        }
        else
        {
            SearchForProof();
        }
    }

    /// <summary>
    /// Takes records as long as they are whole and fit; the first that does not is where the segment ends.
    /// </summary>
    /// <exception cref="WalCorruptException">A whole record does not follow the one before.</exception>
    public void Walk()
    {
        var content = scan.Content.AsSpan();
        while (TryReadAt(scan.End, out var record) && record.Matches(scan.Segment.Salt, content[(int)scan.End..]))
        {
            if (record.Previous != scan.Chain && !StorageMutants.RecordsAreNotTied)
            {
                throw new WalCorruptException(
                    Path, scan.End, $"a record that follows {scan.Chain:x8}", $"one that follows {record.Previous:x8}");
            }

            if (record.Type == WalRecordType.Sealed)
            {
                scan.IsSealed = true;
                return;
            }

            if (record.Type == WalRecordType.Checkpoint
                && record.Length == WalRecordHeader.Bytes + WalBodies.CheckpointBytes)
            {
                var body = content.Slice((int)scan.End + WalRecordHeader.Bytes, WalBodies.CheckpointBytes);
                scan.FirstSegment = WalBodies.ReadCheckpoint(body).FirstSegment;
            }

            scan.Records.Add(record);
            scan.Chain = record.Checksum;
            scan.End += record.PaddedLength;
        }
    }

    private void CheckAgainst(WalSegmentHeader header)
    {
        if (scan.End != header.PreviousEnd || scan.Chain != header.PreviousChain)
        {
            throw new WalCorruptException(
                Path, Math.Min(scan.End, header.PreviousEnd),
                $"records up to {header.PreviousEnd} with checksum {header.PreviousChain:x8}, "
                + $"as segment {header.Sequence} says",
                $"whole records up to {scan.End} with checksum {scan.Chain:x8}");
        }
    }

    /// <summary>
    /// Looks behind the end for a record that was made when the place where we stopped was already durable.
    /// </summary>
    private void SearchForProof()
    {
#if MUTANTS
        if (StorageMutants.SegmentReusedUncleared)
        {
            return; // Mutant 37: what is left of the old segment would be taken for a proof each time.
        }
#endif
        var content = scan.Content.AsSpan();
        var written = content.LastIndexOfAnyExcept((byte)0) + 1;
        var budget = (long)SearchFactorMax * content.Length;
        for (var offset = scan.End + 8; offset < written; offset += 8)
        {
            // A record may end in zeros, so it need not end before the last byte that is not zero.
            if (!TryReadAt(offset, out var record) || record.Horizon <= scan.End)
            {
                continue;
            }

            budget -= record.PaddedLength;
            if (budget < 0 || record.Matches(scan.Segment.Salt, content[(int)offset..]))
            {
                throw new WalCorruptException(
                    Path, scan.End, "a whole record, because it had been synced before a later one was written",
                    $"damage; the later record is at {offset}");
            }
        }
    }

    private bool TryReadAt(long offset, out WalRecordHeader record)
    {
        record = default;
        return offset < scan.Content.Length && WalRecordHeader.TryRead(
            scan.Content.AsSpan((int)offset), scan.Segment.Sequence, (uint)offset, out record);
    }
}
