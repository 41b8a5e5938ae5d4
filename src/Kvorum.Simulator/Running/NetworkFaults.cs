namespace Kvorum.Simulator;

/// <summary>Partitions of every shape, and bad links (reliability N5 to N12, N15).</summary>
internal sealed class NetworkFaults(SimWorld world, SimNetwork network)
{
    public void Strike(Fault fault, FaultDriver driver)
    {
        switch (fault.Kind)
        {
            case FaultKind.SlowLink:
                EachLink(fault, (from, to) => network.Slow(from, to, world.Now + fault.Duration, fault.Amount));
                break;
            case FaultKind.CorruptFrame:
                EachLink(fault, (from, to) => network.Corrupt(from, to, world.Now + fault.Duration));
                break;
            case FaultKind.ClientCut:
                CutClients(fault, true);
                driver.After(fault.Duration, () => CutClients(fault, false));
                break;
            case FaultKind.Flap:
                Flap(fault, driver, world.Now + fault.Duration, isBlocked: true);
                break;
            default:
                var links = Links(fault);
                Block(links, true, isNoticed: fault.Kind is not FaultKind.HalfOpen);
                var cutsClients = fault.Amount % 3 == 0 && fault.Kind is FaultKind.Partition;
                if (cutsClients)
                {
                    CutClients(fault, true);
                }

                driver.After(fault.Duration, () =>
                {
                    Block(links, false, isNoticed: false);
                    if (cutsClients)
                    {
                        CutClients(fault, false);
                    }
                });
                break;
        }
    }

    private void CutClients(Fault fault, bool isCut)
    {
        foreach (var place in fault.Nodes)
        {
            network.ClientBlocked[place] = isCut;
        }
    }

    private void Flap(Fault fault, FaultDriver driver, long until, bool isBlocked)
    {
        var links = Links(fault);
        Block(links, isBlocked, isNoticed: false);
        if (isBlocked || world.Now < until)
        {
            driver.After(Math.Max(1_000, fault.Amount), () => Flap(fault, driver, until, !isBlocked));
        }
    }

    private void Block(List<(int From, int To)> links, bool isBlocked, bool isNoticed)
    {
        foreach (var (from, to) in links)
        {
            network.Block(from, to, isBlocked, isNoticed);
        }
    }

    /// <summary>The directed links that the fault takes away.</summary>
    private List<(int From, int To)> Links(Fault fault)
    {
        var links = new List<(int From, int To)>();
        var count = network.InUse;
        for (var from = 1; from <= count; from++)
        {
            for (var to = 1; to <= count; to++)
            {
                if (from != to && IsTaken(fault, from, to, count))
                {
                    links.Add((from, to));
                }
            }
        }

        return links;
    }

    private static bool IsTaken(Fault fault, int from, int to, int count)
    {
        var isFromIn = fault.Nodes.Contains(from);
        var isToIn = fault.Nodes.Contains(to);
        switch (fault.Kind)
        {
            case FaultKind.OneWay:
                return fault.Amount % 2 == 0 ? isFromIn && !isToIn : !isFromIn && isToIn;
            case FaultKind.Bridge:
                // The first node stays connected with both sides.
                return from != fault.Nodes[0] && to != fault.Nodes[0] && isFromIn != isToIn;
            case FaultKind.MajoritiesRing:
                // Each node sees its neighbours on a ring, just enough for a majority with itself.
                var apart = Math.Abs(from - to);
                return Math.Min(apart, count - apart) > (count / 2 + 1) / 2;
            default:
                return isFromIn != isToIn;
        }
    }

    private void EachLink(Fault fault, Action<int, int> action)
    {
        foreach (var (from, to) in Links(fault with { Kind = FaultKind.Partition }))
        {
            action(from, to);
        }
    }
}
