namespace Kvorum.Simulator;

/// <summary>Disks that are slow, full, failing, or wrong (reliability D1 to D18).</summary>
internal sealed class DiskFaults(SimWorld world, SimNode[] nodes, FaultDriver driver)
{
    public void Strike(Fault fault)
    {
        var node = nodes[fault.Nodes[0] - 1];
        var disk = node.Disk;
        node.IsTailInDoubt |= IsTailLostUnseen(fault.Kind);
        switch (fault.Kind)
        {
            case FaultKind.SlowDisk:
                node.Speed.SyncExtra = fault.Amount;
                driver.After(fault.Duration, () => node.Speed.SyncExtra = 0);
                break;
            case FaultKind.SyncError:
                if (fault.Amount % 2 == 0)
                {
                    disk.SyncFailures = 1;
                }
                else
                {
                    disk.SyncFailsUntil = world.Now + fault.Duration;
                }

                break;
            case FaultKind.ReadError:
                disk.ReadFailsUntil = world.Now + fault.Duration;
                break;
            case FaultKind.DiskFull:
                disk.Quota = disk.BytesUsed + fault.Amount;
                driver.After(fault.Duration, () => disk.Quota = long.MaxValue);
                break;
            case FaultKind.MisdirectedWrite or FaultKind.LostWrite:
                node.IsDamaged = true;
                node.IsPoisoned = true;
                disk.NextLogWrite = fault.Kind is FaultKind.LostWrite ? WriteFate.Lost : WriteFate.Misdirected;
                break;
            case FaultKind.OldBackup:
                var backup = disk.Backup();
                driver.After(fault.Duration, () => Replace(node, fault, () => disk.Restore(backup)));
                break;
            default:
                Replace(node, fault, () => Destroy(node, fault));
                break;
        }
    }

    /// <summary>Whether what is left looks like a log that never was longer.</summary>
    public static bool IsTailLostUnseen(FaultKind kind) =>
        kind is FaultKind.MisdirectedWrite or FaultKind.LostWrite or FaultKind.OldBackup or FaultKind.TornTail;

    /// <summary>Ends the process, does something to its disk, and starts it again, when that can be stood.</summary>
    private void Replace(SimNode node, Fault fault, Action change)
    {
        if (!driver.MayForget(node))
        {
            const long TryAgain = 500_000;
            driver.After(TryAgain, () => Replace(node, fault, change));
            return;
        }

        node.IsDamaged = true;
        node.IsPoisoned = true; // What was damaged may show at any later start only.
        node.Crash(CrashKeeps.Everything);
        change();
        world.Injected.Add("disk.damaged");
        node.Start();
    }

    private void Destroy(SimNode node, Fault fault)
    {
        var chance = new ChanceSource(world.Chance, ChanceStream.Fault, (ulong)fault.Number);
        switch (fault.Kind)
        {
            case FaultKind.WipedDirectory:
                node.Disk.Wipe();
                node.Directory++;
                node.JoinsAnew |= driver.HaveVotersChanged;
                break;
            case FaultKind.StaleWrite: RepeatWrite(node.Disk, chance); break;
            case FaultKind.TornTail: TearTail(node.Disk, (int)Math.Clamp(fault.Amount, 1, 4096)); break;
            default: Rot(node.Disk, Math.Clamp(fault.Amount, 1, 16), chance); break;
        }
    }

    /// <summary>Flips bits at random places that hold something.</summary>
    private void Rot(SimDisk disk, long flips, ChanceSource chance)
    {
        Span<byte> one = stackalloc byte[1];
        for (var i = 0; i < flips && disk.Names.Count > 0; i++)
        {
            var which = chance.Below(disk.Names.Count);
            var file = disk.Names.Values[which];
            if (file.DurableLength == 0)
            {
                continue;
            }

            var offset = Place(file, chance);
            file.ReadDurable(one, offset);
            one[0] ^= (byte)(1 << chance.Below(8));
            world.Say($"a bit rots at {disk.Names.Keys[which]}, offset {offset}, of {file.DurableLength}");
            file.Damage(offset, one);
        }
    }

    /// <summary>Rather where something was written: most of a log segment is zeros that nobody will read.</summary>
    private static long Place(SimFile file, ChanceSource chance)
    {
        const int Tries = 20;
        Span<byte> around = stackalloc byte[16];
        long offset = 0;
        for (var i = 0; i < Tries; i++)
        {
            offset = chance.Between(0, file.DurableLength - 1);
            around.Clear();
            file.ReadDurable(around, offset);
            if (around.ContainsAnyExcept((byte)0))
            {
                break;
            }
        }

        return offset;
    }

    /// <summary>The newest write to the log never came; in its place is an earlier one, once more.</summary>
    private static void RepeatWrite(SimDisk disk, ChanceSource chance)
    {
        var file = NewestLog(disk);
        const int HeaderBytes = 64;
        var places = file?.LastPlaces.Where(place => place.Offset >= HeaderBytes).ToList();
        if (file is null || places is not { Count: > 1 })
        {
            return;
        }

        var (newest, length) = places[^1];
        var (earlier, count) = places[chance.Below(places.Count - 1)];
        if (earlier + count > newest || newest + count > file.DurableLength)
        {
            return;
        }

        var bytes = new byte[Math.Max(length, count)];
        file.ReadDurable(bytes.AsSpan(0, count), earlier);
        file.Damage(newest, bytes);
    }

    private static SimFile? NewestLog(SimDisk disk)
    {
        for (var i = disk.Names.Count - 1; i >= 0; i--)
        {
            if (disk.Names.Keys[i].EndsWith(".wal", StringComparison.Ordinal))
            {
                return disk.Names.Values[i];
            }
        }

        return null;
    }

    /// <summary>The last bytes written to the newest log segment are zeros again.</summary>
    private static void TearTail(SimDisk disk, int count)
    {
        if (NewestLog(disk) is not { } file)
        {
            return;
        }

        var content = new byte[file.DurableLength];
        file.ReadDurable(content, 0);
        var last = content.AsSpan().LastIndexOfAnyExcept((byte)0);
        const int HeaderBytes = 512;
        if (last >= HeaderBytes)
        {
            var cut = Math.Max(HeaderBytes, last + 1 - count);
            file.Damage(cut, new byte[last + 1 - cut]);
        }
    }
}
