namespace Kvorum.Simulator;

/// <summary>
/// Destroys more than the cluster can stand (reliability D16, and D13 on a majority): wiped directories, or bits that
/// rot in every copy of the log.
/// </summary>
internal sealed class LossFaults(SimWorld world, SimNode[] nodes, IReadOnlyList<WorldObserver> observers)
{
    private const int SegmentHeaderBytes = 64;

    /// <summary>The loss has begun: from now on the cluster need not go on, but must not go wrong.</summary>
    public bool HasStruck { get; private set; }

    /// <summary>All nodes of the fault at once, or one after the other, for as long as the fault lasts.</summary>
    public void Strike(Fault fault)
    {
        HasStruck = true;
        var step = fault.Duration / fault.Nodes.Count;
        for (var i = 0; i < fault.Nodes.Count; i++)
        {
            var node = nodes[fault.Nodes[i] - 1];
            node.IsDamaged = true; // Every later one, too: what it says from here on is its answer to the loss.
            if (step == 0)
            {
                Destroy(node, fault);
            }
            else
            {
                world.At(world.Now + i * step, () => Replace(node, fault));
            }
        }

        if (step == 0)
        {
            foreach (var place in fault.Nodes)
            {
                nodes[place - 1].Start();
            }
        }
    }

    private void Replace(SimNode node, Fault fault)
    {
        Destroy(node, fault);
        node.Start();
    }

    private void Destroy(SimNode node, Fault fault)
    {
        node.Crash(CrashKeeps.Everything);
        foreach (var observer in observers)
        {
            observer.Lost(node.Place, fault); // Now, not when the fault began: until now it went on acknowledging.
        }

        world.Injected.Add("disk.damaged");
        if (fault.Kind is FaultKind.WipedMajority)
        {
            node.Disk.Wipe();
            node.Directory++;
        }
        else
        {
            var entity = ((ulong)fault.Number << 8) | (uint)node.Place;
            Rot(node.Disk, Math.Clamp(fault.Amount, 1, 16), new ChanceSource(world.Chance, ChanceStream.Fault, entity));
        }
    }

    /// <summary>
    /// Flips bits of the log and of snapshots, but none of the newest write: damaged there, it looks like one that the
    /// end of the power tore, and with every copy gone nobody could know that it was ever whole (docs/formats.md).
    /// </summary>
    private void Rot(SimDisk disk, long flips, ChanceSource chance)
    {
        var places = Places(disk);
        Span<byte> one = stackalloc byte[1];
        for (var i = 0; i < flips && places.Count > 0; i++)
        {
            var (name, file, from, length) = places[chance.Below(places.Count)];
            var offset = from + chance.Below(length);
            file.ReadDurable(one, offset);
            one[0] ^= (byte)(1 << chance.Below(8));
            world.Say($"a bit rots at {name}, offset {offset}, of {file.DurableLength}");
            file.Damage(offset, one);
        }
    }

    private static List<(string Name, SimFile File, long From, int Length)> Places(SimDisk disk)
    {
        var places = new List<(string Name, SimFile File, long From, int Length)>();
        var newest = disk.Names.Where(name => IsLog(name.Key) && name.Value.LastPlaces.Count > 0)
            .Select(name => name.Key).LastOrDefault();
        foreach (var (name, file) in disk.Names)
        {
            if (!IsLog(name) && !name.EndsWith(".snap", StringComparison.Ordinal))
            {
                continue;
            }

            var end = name == newest ? file.LastPlaces.Last().Offset : file.DurableLength;
            foreach (var (offset, count) in file.LastPlaces)
            {
                var length = (int)(Math.Min(offset + count, end) - offset);
                if (offset >= SegmentHeaderBytes && length > 0)
                {
                    places.Add((name, file, offset, length));
                }
            }
        }

        return places;
    }

    private static bool IsLog(string name) => name.EndsWith(".wal", StringComparison.Ordinal);
}
